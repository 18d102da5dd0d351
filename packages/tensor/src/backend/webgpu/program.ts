/**
 * @file A compiled plan: one dispatch a kernel, with bind groups kept for the buffers that come again.
 */
import { invariant } from '../../errors.ts';
import type { Kernel } from '../../schedule/kernel.ts';
import type { Plan } from '../../schedule/plan.ts';
import { sizeOf } from '../../shape.ts';
import type { Program } from '../backend.ts';
import type { Block } from './buffers.ts';
import type { Pipeline, Pipelines } from './pipelines.ts';
import type { AdapterFacts } from './wgsl/facts.ts';
import { generate } from './wgsl/generate.ts';

/** Sets of buffers for which a dispatch keeps its bind group. */
const KEPT_GROUPS = 4;

/** One dispatch. */
export interface Dispatch {
  readonly label: string;
  readonly pipeline: Pipeline;
  readonly grid: readonly [number, number];
  /** Plan buffer of each binding. */
  readonly buffers: readonly number[];
  /** Plan buffers that the dispatch writes. */
  readonly written: ReadonlySet<number>;
  readonly scalars: boolean;
  /** Plan buffer to be zeroed before. */
  readonly clear: number | undefined;
  /** Bind groups by the ids of their blocks, the oldest first. */
  readonly groups: Map<string, GPUBindGroup>;
}

/** A plan ready to be encoded. */
export interface WebGPUProgram extends Program {
  readonly dispatches: readonly Dispatch[];
  /** Memory of the host numbers, made at the first run. */
  scalars: Block | undefined;
}

/** True when a kernel has nothing to write. A row without elements still writes its empty sums. */
function isEmpty(kernel: Kernel): boolean {
  const rowAxes = kernel.kind === 'row' ? kernel.rowAxes : 0;
  return sizeOf(kernel.loop.slice(0, kernel.loop.length - rowAxes)) === 0;
}

/** Writes and compiles the kernels of a plan; empty ones are left out. */
export function compileDispatches(
  plan: Plan,
  pipelines: Pipelines,
  facts: AdapterFacts,
): Dispatch[] {
  const kernels = plan.kernels.filter((kernel) => !isEmpty(kernel));
  return kernels.map((kernel) => {
    const shader = generate(kernel, facts);
    const buffers = kernel.buffers.map((buffer) => buffer.id);
    const written = kernel.buffers.filter((buffer) => buffer.access !== 'read');
    return {
      label: kernel.label,
      pipeline: pipelines.get(kernel, shader),
      grid: shader.grid,
      buffers,
      written: new Set(written.map((buffer) => buffer.id)),
      scalars: shader.scalars,
      clear: shader.clear === undefined ? undefined : buffers[shader.clear]!,
      groups: new Map(),
    };
  });
}

/** The bind group of a dispatch over these blocks (by plan buffer). */
export function bindGroup(
  device: GPUDevice,
  dispatch: Dispatch,
  blocks: readonly Block[],
  scalars: Block | undefined,
): GPUBindGroup {
  const bound = dispatch.buffers.map((id) => blocks[id]!);
  const key = bound.map((block) => block.id).join(',');
  const known = dispatch.groups.get(key);
  if (known) return known;
  checkDistinct(dispatch, blocks);
  if (dispatch.scalars) bound.push(scalars!);
  const entries = bound.map((block, binding) => ({ binding, resource: { buffer: block.gpu } }));
  const group = device.createBindGroup({ layout: dispatch.pipeline.layout, entries });
  if (dispatch.groups.size >= KEPT_GROUPS)
    dispatch.groups.delete(dispatch.groups.keys().next().value!);
  dispatch.groups.set(key, group);
  return group;
}

/** WebGPU drops a whole submit when a dispatch writes a buffer that it binds twice: never let it. */
function checkDistinct(dispatch: Dispatch, blocks: readonly Block[]): void {
  for (const id of dispatch.written) {
    const same = dispatch.buffers.filter((other) => blocks[other]!.id === blocks[id]!.id);
    invariant(same.length === 1, `kernel ${dispatch.label} writes a buffer that it binds twice`);
  }
}
