/** @file What a computation would become, as text: for people who want to see the engine think. */
import type { ScheduleLimits } from './schedule/plan.ts';
import { printGraph } from './graph/print.ts';
import { trace } from './graph/trace.ts';
import { printPlan } from './schedule/print.ts';
import { schedule } from './schedule/schedule.ts';
import type { Tensor } from './tensor.ts';

/** WebGPU's guaranteed storage buffers a stage, less the one for host numbers. */
const GUARANTEED: ScheduleLimits = { maxBuffersPerKernel: 7 };

/**
 * The graph of the tensors and the kernels that would compute them, as text. Runs nothing.
 * @param limits of the device; WebGPU's guaranteed ones when left out.
 */
export function explain(tensors: readonly Tensor[], limits: ScheduleLimits = GUARANTEED): string {
  const graph = trace(tensors.map(({ node }) => ({ node, replaces: undefined }))).graph();
  return `${printGraph(graph)}\n\n${printPlan(schedule(graph, limits))}`;
}
