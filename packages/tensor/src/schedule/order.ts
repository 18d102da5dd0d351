/**
 * @file The order of the kernels: every kernel after those it reads; among those that could run, the one
 * after which least scratch is held. So a weight's gradient is used up as soon as it can be, and the
 * activations it needed are free for the layers below.
 */
import { bytesPerElement } from '../dtype.ts';
import { invariant } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { nodeSize, type Node } from '../graph/node.ts';
import { producers, type Group } from './group.ts';

/** Writing over an input that others still read would take a second copy of it: everything else goes first. */
const TOO_EARLY = 2 ** 50;

interface Waiting {
  readonly group: Group;
  readonly position: number;
  /** Kernels still to run before this one. */
  missing: number;
  readonly followers: Waiting[];
}

class Orderer {
  private readonly waiting: Waiting[];
  private readonly readers = new Map<object, number>();
  private readonly kept: Set<object>;
  /** Results that are written over an input, if by then nobody else reads it. */
  private readonly replaced: Map<object, object>;

  constructor(graph: Graph, groups: readonly Group[], hosts: ReadonlyMap<Node, Node>) {
    const position = new Map(graph.nodes.map((node, i) => [node, i]));
    this.kept = new Set<object>([...graph.inputs, ...graph.outputs.map((output) => output.node)]);
    this.replaced = new Map(
      graph.outputs.flatMap(({ node, replaces }) =>
        replaces === undefined ? [] : [[node, graph.inputs[replaces]!] as const],
      ),
    );
    this.waiting = groups.map((group) => ({
      group,
      position: position.get(group.host)!,
      missing: 0,
      followers: [],
    }));
    const byHost = new Map(this.waiting.map((entry) => [entry.group.host, entry]));
    for (const entry of this.waiting) {
      for (const host of new Set(producers(entry.group, hosts))) {
        byHost.get(host)!.followers.push(entry);
        entry.missing++;
      }
      for (const object of entry.group.emitted.memory)
        this.readers.set(object, (this.readers.get(object) ?? 0) + 1);
    }
  }

  run(): Group[] {
    const ready = this.waiting.filter((entry) => entry.missing === 0);
    const order: Group[] = [];
    while (ready.length > 0) {
      const next = this.best(ready);
      ready.splice(ready.indexOf(next), 1);
      order.push(next.group);
      for (const object of next.group.emitted.memory)
        this.readers.set(object, this.readers.get(object)! - 1);
      for (const follower of next.followers) if (--follower.missing === 0) ready.push(follower);
    }
    invariant(order.length === this.waiting.length, 'kernels wait for each other');
    return order;
  }

  private best(ready: readonly Waiting[]): Waiting {
    let best = ready[0]!;
    let least = this.growth(best);
    for (const entry of ready.slice(1)) {
      const growth = this.growth(entry);
      if (growth < least || (growth === least && entry.position < best.position)) {
        best = entry;
        least = growth;
      }
    }
    return best;
  }

  /** Scratch bytes that running a kernel adds, less those it sets free. */
  private growth({ group }: Waiting): number {
    let bytes = 0;
    group.emitted.memory.forEach((object, i) => {
      const over = this.replaced.get(object);
      if (over !== undefined && this.readers.get(over)! > 1) bytes += TOO_EARLY;
      if (this.kept.has(object)) return;
      const node = object as Node;
      const size = nodeSize(node) * bytesPerElement(node.dtype);
      if (group.emitted.kernel.buffers[i]!.access === 'write') bytes += size;
      else if (this.readers.get(object) === 1) bytes -= size;
    });
    return bytes;
  }
}

/** Sorts groups topologically, with little memory. */
export function orderGroups(
  graph: Graph,
  groups: readonly Group[],
  hosts: ReadonlyMap<Node, Node>,
): Group[] {
  return new Orderer(graph, groups, hosts).run();
}
