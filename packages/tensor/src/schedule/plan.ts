/**
 * @file What a back end compiles: kernels in order over a table of buffers with known sizes and roles.
 */
import type { DType } from '../dtype.ts';
import type { Graph } from '../graph/graph.ts';
import type { Kernel } from './kernel.ts';

/** A buffer of a plan. */
export interface PlanBuffer {
  /**
   * `input`: bound from `Graph.inputs[index]`. `output`: allocated by the caller for `Graph.outputs[index]`.
   * `scratch`: lives only inside a run; the back end provides it.
   */
  readonly role: 'input' | 'output' | 'scratch';
  readonly index: number;
  /** Elements. A scratch buffer serves several values; its size is that of the largest, in 4-byte words. */
  readonly size: number;
  readonly dtype: DType;
}

/** Kernels in order over numbered buffers. */
export interface Plan {
  readonly graph: Graph;
  readonly kernels: readonly Kernel[];
  readonly buffers: readonly PlanBuffer[];
  /**
   * For each output of the graph the plan buffer that holds it after the run. It may be an `input`
   * buffer: the output is that input itself or was written over it (an update in place).
   */
  readonly outputs: readonly number[];
  /** Bytes of scratch that a run needs. */
  readonly scratchBytes: number;
}

/** Facts that the scheduler must respect. */
export interface ScheduleLimits {
  /** Storage buffers one kernel may bind, the scalar buffer not counted. */
  readonly maxBuffersPerKernel: number;
}
