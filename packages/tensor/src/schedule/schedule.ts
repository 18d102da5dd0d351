/** @file Graph → Plan: group nodes into kernels, order them, give them memory. */
import type { ScheduleLimits } from './plan.ts';
import type { Graph } from '../graph/graph.ts';
import { Grouping } from './group.ts';
import { planMemory } from './memory.ts';
import { orderGroups } from './order.ts';
import type { Plan } from './plan.ts';

export { interpretPlan } from './memory.ts';

/** Plans a graph for a device with these limits. Throws CamadaError when a kernel cannot be cut to fit. */
export function schedule(graph: Graph, limits: ScheduleLimits): Plan {
  const grouping = new Grouping(graph, limits);
  const groups = grouping.run();
  return planMemory(graph, orderGroups(graph, groups, grouping.hostOf()));
}
