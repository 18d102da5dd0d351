/**
 * @file The check that a captured step does the same at each call: it is built once more, and whatever differs
 * without being an argument, a number to read, or memory that it closes over, is an error.
 */
import { InputError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import { printGraph } from '../graph/print.ts';
import { showShape } from '../shape.ts';
import type { FirstCall, Recording, Source } from './recording.ts';

/** Throws InputError where a fresh recording of the same call differs from the earlier one. */
export function verify(earlier: Recording, { recording, traced }: FirstCall): void {
  checkStructure(earlier, recording, () => traced.graph());
  checkNumbers(earlier, recording, () => traced.graph());
  recording.sources.forEach((source, i) => {
    if (!sameSource(earlier.sources[i]!, source)) throw sourceError(source, traced.leaves[i]!);
  });
  if (!sameList(earlier.updated, recording.updated))
    throw new InputError('capture: the step updates other tensors than in its first call');
}

function sameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}

function checkStructure(earlier: Recording, now: Recording, graph: () => Graph): void {
  if (earlier.key === now.key) return;
  const lines = [earlier.program.plan.graph, graph()].map((g) => printGraph(g).split('\n'));
  const [a, b] = lines as [string[], string[]];
  const at = b.findIndex((line, i) => line !== a[i]);
  throw new InputError(
    `capture: the step builds another graph than in its first call with such arguments: first '${a[at] ?? 'nothing'}', ` +
      `now '${b[at] ?? 'nothing'}'. What the graph depends on must be an argument (a changed one makes a new program)`,
  );
}

/** Numbers that are not read again must be the same; those that are must be read in the same place. */
function checkNumbers(earlier: Recording, now: Recording, graph: () => Graph): void {
  const live = new Set<number>();
  now.live.forEach(({ slots, read }, i) => {
    slots.forEach((slot) => live.add(slot));
    const before = earlier.live[i];
    if (slots.length === 0 || !before) return;
    const [old, fresh] = [before.read(), read()];
    if (!sameList(old, fresh))
      throw numberError(
        slots[0]!,
        old[0]!,
        fresh[0]!,
        graph(),
        'its function reads what it was in one call',
      );
  });
  now.words.forEach((word, slot) => {
    if (live.has(slot) || word === earlier.words[slot]) return;
    const { dtype } = graph().scalars[slot]!;
    const value = (words: Uint32Array): number =>
      dtype === 'f32' ? new Float32Array(words.buffer, words.byteOffset)[slot]! : words[slot]!;
    throw numberError(slot, value(earlier.words), value(now.words), graph(), 'is fixed');
  });
}

function numberError(
  slot: number,
  old: number,
  now: number,
  graph: Graph,
  what: string,
): InputError {
  return new InputError(
    `capture: host number ${slot}${userOf(graph.scalars[slot], graph)} was ${old} and is ${now}, but ${what}. Pass it ` +
      'with the numbers of the call and read it by a function: scalar(() => numbers.x), optimizer.step(gradients, () => numbers.x)',
  );
}

/** The op that uses a scalar, for the message. */
function userOf(scalar: Node | undefined, graph: Graph): string {
  let node = scalar;
  while (node) {
    const user: Node | undefined = graph.nodes.find((x) => x.inputs.includes(node!));
    if (user && user.op !== 'expand' && user.op !== 'reshape') {
      const name = 'name' in user.attrs ? user.attrs.name : user.op;
      return ` (in ${name} ${showShape(user.shape)})`;
    }
    node = user;
  }
  return '';
}

function sameSource(a: Source, b: Source): boolean {
  if (a.kind === 'argument' && b.kind === 'argument') return a.index === b.index;
  if (a.kind === 'updated' && b.kind === 'updated') return a.holder === b.holder;
  if (a.kind === 'memory' && b.kind === 'memory') return a.lineage === b.lineage;
  // Made inside the first call and kept by the step since.
  if (a.kind === 'constant' && b.kind === 'memory') return a.storage === b.lineage.current;
  return a.kind === 'constant' && b.kind === 'constant' && a.digest === b.digest;
}

function sourceError(source: Source, leaf: Node): InputError {
  const what = `${leaf.dtype} ${showShape(leaf.shape)}`;
  return new InputError(
    source.kind === 'constant'
      ? `capture: the step makes a tensor of host data, ${what}, that differs between calls: pass it as an argument`
      : `capture: the step reads another tensor than in its first call, ${what}: pass it as an argument, or assign to the first`,
  );
}
