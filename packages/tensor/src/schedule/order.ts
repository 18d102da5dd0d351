/** @file The order of the kernels: every kernel after those it reads, otherwise as the graph was written. */
import { invariant } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import { producers, type Group } from './group.ts';

/** Sorts groups topologically; among those that could run, the one written first. */
export function orderGroups(
  graph: Graph,
  groups: readonly Group[],
  hosts: ReadonlyMap<Node, Node>,
): Group[] {
  const position = new Map(graph.nodes.map((node, i) => [node, i]));
  const byHost = new Map(groups.map((group) => [group.host, group]));
  const sorted = [...groups].sort((a, b) => position.get(a.host)! - position.get(b.host)!);
  const state = new Map<Node, 'open' | 'done'>();
  const order: Group[] = [];
  const visit = (group: Group): void => {
    if (state.get(group.host) === 'done') return;
    invariant(state.get(group.host) !== 'open', 'kernels wait for each other');
    state.set(group.host, 'open');
    for (const host of producers(group, hosts)) visit(byHost.get(host)!);
    state.set(group.host, 'done');
    order.push(group);
  };
  sorted.forEach(visit);
  return order;
}
