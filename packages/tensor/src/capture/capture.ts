/**
 * @file A step whose graph is built once. `capture` runs it on stand-ins, keeps the compiled program, and
 * later calls only bind memory, write host numbers and dispatch. It is the same compiler and the same
 * program as without it: one key, one cache.
 */
import { currentDevice, device, type Device } from '../device.ts';
import { InputError } from '../errors.ts';
import { checked } from '../eager/eager.ts';
import { bufferNode, type Storage } from '../graph/node.ts';
import { leafStorage } from '../graph/trace.ts';
import { recordHostActions } from '../host-number.ts';
import { runPending, settled, settleUpdate } from '../realize.ts';
import { execute, wordOf, type RunData } from '../run.ts';
import { Tensor } from '../tensor.ts';
import { NumbersView } from './numbers.ts';
import { checkApart, Place, record, type Recording } from './recording.ts';
import { flatten, mapTree, type Flat } from './tree.ts';
import { verify } from './verify.ts';

/** Settings of `capture`. */
export interface CaptureOptions {
  /**
   * After how many calls the step is built anew to see that it still is the same; the second call always
   * does so. @defaultValue never again
   */
  readonly verifyEvery?: number;
}

/** Host numbers of one call, by name. */
export type CallNumbers = Readonly<Record<string, number>>;

/** A captured step: call it with tensors and numbers. */
export interface CapturedStep<A, N extends CallNumbers, R> {
  (args: A, numbers?: N): Promise<R>;
  /** How often the step's code has run: once or twice for each shape of arguments. */
  readonly builds: () => number;
}

/** Kinds of arguments whose programs are kept. */
const KEPT = 32;

let epoch = 0;

/** Lets all captured steps build their graphs anew: a module has got other tensors or layers. */
export function invalidateCaptures(): void {
  epoch++;
}

/**
 * Makes a function that runs `step` without building its graph again.
 *
 * - `args` are tensors in arrays and plain objects. Another shape, dtype or structure builds (and keeps)
 *   another program.
 * - `numbers` of the call: the object that `step` is given holds the current ones; it is read by functions,
 *   as in `scalar(() => numbers.scale)`, at each call, and nowhere else.
 * - What the step closes over is read as it is at each call; what it assigns to is updated.
 * - The result is the step's, with new tensors. Results are enqueued before this returns, once a device is open.
 *
 * The second call builds the graph once more and compares. Throws InputError where the step is not the same
 * at each call (a host number that changes without being read by a function is named), reads a value, or
 * awaits; then nothing was run and no tensor updated.
 */
export function capture<A, R, N extends CallNumbers = Record<never, never>>(
  step: (args: A, numbers: Readonly<N>) => R,
  options: CaptureOptions = {},
): CapturedStep<A, N, R> {
  const captured = new Capture(step as (args: unknown, numbers: unknown) => unknown, options);
  const call = async (args: A, numbers?: N): Promise<R> => {
    const target = currentDevice() ?? (await device());
    const result = captured.call(target, args, numbers ?? {}) as R;
    if (target.eager) await checked(target);
    return result;
  };
  return Object.assign(call, { builds: () => captured.builds });
}

/** A recording and how often it has run. */
interface Kept {
  readonly recording: Recording;
  calls: number;
}

class Capture {
  builds = 0;
  readonly #step: (args: unknown, numbers: unknown) => unknown;
  readonly #verifyEvery: number;
  readonly #kept = new Map<string, Kept>();
  readonly #numbers = new NumbersView();
  #device: Device | undefined;
  #epoch = epoch;

  constructor(step: (args: unknown, numbers: unknown) => unknown, options: CaptureOptions) {
    const { verifyEvery = Infinity } = options;
    if (!(verifyEvery >= 1))
      throw new InputError(`capture: verifyEvery ${verifyEvery} is not a number of calls`);
    this.#step = step;
    this.#verifyEvery = verifyEvery;
  }

  call(target: Device, args: unknown, numbers: CallNumbers): unknown {
    const flat = flatten(args);
    runPending(
      target,
      flat.tensors.filter((tensor) => !settled(tensor)),
    );
    this.#numbers.set(numbers);
    if (target.eager) return this.#eagerly(target, args);
    this.#forget(target);
    const kept = this.#kept.get(flat.signature);
    if (!kept || isStale(kept.recording)) return this.#build(target, args, flat, undefined);
    const check = kept.calls === 1 || kept.calls % this.#verifyEvery === 0;
    return check ? this.#build(target, args, flat, kept) : this.#replay(target, flat, kept);
  }

  /** An eager device runs op by op: nothing is recorded. */
  #eagerly(target: Device, args: unknown): unknown {
    this.builds++;
    const { result } = recordHostActions(() => this.#step(args, this.#numbers.view));
    runPending(target, flatten(result).tensors);
    return result;
  }

  /** Drops what belongs to another device or to modules that were changed. */
  #forget(target: Device): void {
    if (this.#device === target && this.#epoch === epoch) return;
    this.#kept.clear();
    this.#device = target;
    this.#epoch = epoch;
  }

  #build(target: Device, args: unknown, flat: Flat, kept: Kept | undefined): unknown {
    this.#kept.delete(flat.signature);
    this.builds++;
    const step = (standIns: unknown): unknown => this.#step(standIns, this.#numbers.view);
    const first = record(target, step, args, flat.tensors);
    const { recording, data } = first;
    try {
      if (kept) verify(kept.recording, first);
      const results = execute(target, recording.program, data);
      if (recording.settled) this.#keep(flat.signature, recording, (kept?.calls ?? 0) + 1);
      return finish(recording, data, results, flat.tensors);
    } catch (error) {
      first.undo();
      throw error;
    }
  }

  #keep(signature: string, recording: Recording, calls: number): void {
    this.#kept.set(signature, { recording, calls });
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value!);
  }

  #replay(target: Device, flat: Flat, kept: Kept): unknown {
    const { recording } = kept;
    kept.calls++;
    const args = flat.tensors.map(({ node }) => leafStorage(node)!);
    const inputs = recording.sources.map((source) => {
      if (source.kind === 'argument') return args[source.index]!;
      if (source.kind === 'updated') return leafStorage(source.holder.node)!;
      return source.kind === 'memory' ? source.lineage.current : source.storage;
    });
    const { plan } = recording.program;
    const replaced = recording.updated.map((holder) => leafStorage(holder.node));
    checkApart(args, replaced);
    const program = target.program(recording.key, () => target.backend.compile(plan));
    const first = recording.outputs.length - replaced.length;
    const outputs = recording.outputs.map((output, i) => ({
      ...output,
      replaces: i < first ? undefined : replaced[i - first],
    }));
    const data: RunData = { inputs, words: readWords(recording), outputs };
    return finish(recording, data, execute(target, program, data), flat.tensors);
  }
}

/** Repeats what the step does on the host, in order; the scalar buffer with the numbers that it read. */
function readWords({ words, live }: Recording): Uint32Array {
  const fresh = words.slice();
  for (const { read, dtype, slots } of live)
    read().forEach((value, i) => {
      if (slots[i]! >= 0) fresh[slots[i]!] = wordOf(value, dtype);
    });
  return fresh;
}

/** True where memory that the step closes over is gone without a successor, or what it computed is in memory now. */
function isStale({ sources, outer }: Recording): boolean {
  return (
    outer.some((node) => leafStorage(node)) ||
    sources.some((source) => source.kind === 'memory' && source.lineage.current.disposed)
  );
}

/** Gives results their memory; the step's result with its tensors. */
function finish(
  recording: Recording,
  { outputs }: RunData,
  results: readonly Storage[],
  args: readonly Tensor[],
): unknown {
  const first = results.length - recording.updated.length;
  recording.updated.forEach((holder, i) =>
    settleUpdate([holder, outputs[first + i]!.replaces], results[first + i]!),
  );
  return mapTree(recording.result, (value) => {
    if (!(value instanceof Place)) return value;
    const { of: place } = value;
    if (place.kind === 'tensor') return place.tensor;
    if (place.kind === 'argument') return args[place.index]!;
    return new Tensor(bufferNode(results[place.index]!, place.shape));
  });
}
