/** @file What a computation would cost, without running it. */
import { bytesPerElement } from './dtype.ts';
import { trace } from './graph/trace.ts';
import type { Node } from './graph/node.ts';
import type { Plan, ScheduleLimits } from './schedule/plan.ts';
import { schedule } from './schedule/schedule.ts';
import { sizeOf } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** Cost of one run. */
export interface Estimate {
  /** Multiplications and additions of the matrix products; all else is small beside them, or bound by memory. */
  readonly flops: number;
  /** Memory that lives only inside the run, such as activations kept for gradients. */
  readonly scratchBytes: number;
  /** Memory of the results. */
  readonly outputBytes: number;
  /** Dispatches. */
  readonly kernels: number;
}

/**
 * What computing these tensors in one run would cost. Plans it, and compiles and runs nothing.
 * @param limits of the device that it is for: `device.backend.scheduleLimits`.
 */
export function estimate(tensors: readonly Tensor[], limits: ScheduleLimits): Estimate {
  const graph = trace(tensors.map(({ node }) => ({ node, replaces: undefined }))).graph();
  const plan = schedule(graph, limits);
  return {
    flops: graph.nodes.reduce((sum, node) => sum + productFlops(node), 0),
    scratchBytes: plan.scratchBytes,
    outputBytes: outputBytes(plan),
    kernels: plan.kernels.length,
  };
}

function productFlops({ op, shape, inputs }: Node): number {
  return op === 'matmul' ? 2 * sizeOf(shape) * inputs[0]!.shape.at(-1)! : 0;
}

function outputBytes({ buffers }: Plan): number {
  return buffers
    .filter(({ role }) => role === 'output')
    .reduce((sum, { size, dtype }) => sum + size * bytesPerElement(dtype), 0);
}
