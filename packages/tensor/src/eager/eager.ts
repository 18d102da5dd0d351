/**
 * @file Eager runs, for debugging: every node of the graph is a program of its own, nothing is fused, and each
 * result is compared with the f64 interpreter's from the same inputs. Slow.
 */
import type { Device } from '../device.ts';
import { bufferNode, makeNode, nodeSize, succeed, type Node, type Storage } from '../graph/node.ts';
import { trace, type Wanted } from '../graph/trace.ts';
import { runWanted } from '../run.ts';
import { checkAll, type Executed } from './check.ts';

/** The checks of each device that nobody has waited for yet. */
const unchecked = new WeakMap<Device, Promise<void>>();

/** Computes wanted nodes the way that the device was opened for; the memory of each. */
export function compute(target: Device, wanted: readonly Wanted[]): Storage[] {
  return target.eager ? new EagerRun(target, wanted).run() : runWanted(target, wanted);
}

/** Resolves when the eager runs so far have been checked; rejects with DeviceError naming the first wrong op. */
export async function checked(target: Device): Promise<void> {
  const waiting = unchecked.get(target);
  unchecked.delete(target);
  await waiting;
}

class EagerRun {
  readonly #target: Device;
  readonly #wanted: readonly Wanted[];
  /** Leaves of later programs: memory, literals and host numbers. */
  readonly #leaves = new Map<Node, Node>();
  readonly #executed: Executed[] = [];

  constructor(target: Device, wanted: readonly Wanted[]) {
    this.#target = target;
    this.#wanted = wanted;
  }

  run(): Storage[] {
    const traced = trace(this.#wanted);
    const graph = traced.graph();
    const memory = new Map(graph.inputs.map((stand, i) => [stand, traced.inputs[i]!]));
    for (const node of graph.nodes) this.#leaves.set(node, this.#leaf(node, memory));
    const results = graph.outputs.map(({ node }) => this.#result(node));
    this.#check();
    this.#release(results);
    this.#wanted.forEach(({ replaces }, i) => replaces && replace(replaces, results[i]!));
    return results;
  }

  #leaf(node: Node, memory: ReadonlyMap<Storage, Storage>): Node {
    if (node.op === 'buffer') return bufferNode(memory.get(node.attrs.storage)!, node.shape);
    if (node.op === 'constant' || node.op === 'scalar' || node.op === 'iota') return node;
    if (nodeSize(node) === 0) return makeNode('constant', [], { value: 0 }, node.shape, node.dtype);
    return bufferNode(this.#execute(node), node.shape);
  }

  /** Runs one node alone. */
  #execute(node: Node): Storage {
    const leaves = node.inputs.map((input) => this.#leaves.get(input)!);
    // A barrier only says when; here everything is in order.
    const alone =
      node.op === 'barrier'
        ? makeNode('detach', leaves, {}, node.shape, node.dtype)
        : makeNode(node.op, leaves, node.attrs, node.shape, node.dtype);
    const [result] = runWanted(this.#target, [{ node: alone, replaces: undefined }]);
    const inputs = leaves.map((leaf) => (leaf.op === 'buffer' ? leaf.attrs.storage : leaf));
    this.#executed.push({ node, inputs, result: result! });
    return result!;
  }

  /** Memory of an output; a literal gets some. */
  #result(node: Node): Storage {
    const leaf = this.#leaves.get(node)!;
    if (leaf.op === 'buffer') return leaf.attrs.storage;
    return runWanted(this.#target, [{ node: leaf, replaces: undefined }])[0]!;
  }

  /** Starts to read what was computed; earlier checks come first. */
  #check(): void {
    const now = checkAll(this.#target, this.#executed);
    const earlier = unchecked.get(this.#target);
    const all = earlier ? earlier.then(() => now) : now;
    for (const promise of [now, all]) promise.catch(() => undefined); // reported by `checked`
    unchecked.set(this.#target, all);
  }

  #release(results: readonly Storage[]): void {
    const kept = new Set(results);
    for (const { result } of this.#executed)
      if (!kept.has(result)) {
        result.device?.release();
        result.disposed = true;
      }
  }
}

function replace(old: Storage, next: Storage): void {
  old.device?.release();
  old.disposed = true;
  succeed(old, next);
}
