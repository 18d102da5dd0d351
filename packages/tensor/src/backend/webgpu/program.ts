/**
 * @file A compiled plan: one dispatch a kernel, with bind groups kept for the buffers that come again.
 */
import { bytesPerElement } from '../../dtype.ts';
import { invariant } from '../../errors.ts';
import type { Kernel } from '../../schedule/kernel.ts';
import type { Plan, PlanBuffer } from '../../schedule/plan.ts';
import { sizeOf } from '../../shape.ts';
import type { Program } from '../backend.ts';
import type { Block } from './buffers.ts';
import type { Pipeline, Pipelines } from './pipelines.ts';
import type { Piece, Splitting } from './split/piece.ts';
import type { Window } from './split/reach.ts';
import { splitKernel } from './split/split.ts';
import type { AdapterFacts } from './wgsl/facts.ts';
import { generate } from './wgsl/generate.ts';

/** Sets of buffers for which a dispatch keeps its bind group. */
const KEPT_GROUPS = 4;

/** Least bytes of a buffer. */
const GRAIN = 16;

/** One dispatch. */
export interface Dispatch {
  readonly label: string;
  readonly pipeline: Pipeline;
  readonly grid: readonly [number, number];
  /** Plan buffer (or scratch of the program's own) of each binding. */
  readonly buffers: readonly number[];
  /** Part of the buffer of each binding; undefined for all of it. */
  readonly windows: readonly (Window | undefined)[];
  /** Plan buffers that the dispatch writes. */
  readonly written: ReadonlySet<number>;
  readonly scalars: boolean;
  /** Plan buffer to be zeroed before. */
  readonly clear: number | undefined;
  /** Bind groups by the ids of their blocks, the oldest first. */
  readonly groups: Map<string, GPUBindGroup>;
  /** The group of the last run and the ids of its blocks: most runs bind the same again. */
  latest: { readonly ids: readonly number[]; readonly group: GPUBindGroup } | undefined;
}

/** The dispatches of a plan. */
export interface Dispatches {
  readonly dispatches: readonly Dispatch[];
  /** Bytes of each scratch buffer; those of the plan come first, then those that splitting added. */
  readonly scratch: ReadonlyMap<number, number>;
}

/** A plan ready to be encoded. */
export interface WebGPUProgram extends Program, Dispatches {
  /** Memory of the host numbers, made at the first run. */
  scalars: Block | undefined;
}

/** True when a kernel has nothing to write. A row without elements still writes its empty sums. */
function isEmpty(kernel: Kernel): boolean {
  const rowAxes = kernel.kind === 'row' ? kernel.rowAxes : 0;
  return sizeOf(kernel.loop.slice(0, kernel.loop.length - rowAxes)) === 0;
}

/** Writes and compiles the kernels of a plan; empty ones are left out, those over large buffers split. */
export function compileDispatches(
  plan: Plan,
  pipelines: Pipelines,
  facts: AdapterFacts,
): Dispatches {
  const sizes = plan.buffers.map(bytesOf);
  const scratch = new Map<number, number>();
  plan.buffers.forEach(({ role }, id) => role === 'scratch' && scratch.set(id, sizes[id]!));
  const splitting: Splitting = {
    limits: { bytes: facts.bindingBytes, step: facts.bindingStep },
    // One storage buffer is the scalars'.
    maxBuffers: facts.storageBuffers - 1,
    bytesOf: (id) => sizes[id]!,
    scratch: (elements, dtype) => {
      const id = sizes.push(Math.max(GRAIN, elements * bytesPerElement(dtype))) - 1;
      scratch.set(id, sizes[id]!);
      return { id, dtype, access: 'read_write' };
    },
  };
  const kernels = plan.kernels.filter((kernel) => !isEmpty(kernel));
  const pieces = kernels.flatMap((kernel) => splitKernel(kernel, splitting));
  return { dispatches: pieces.map((piece) => dispatchOf(piece, pipelines, facts)), scratch };
}

/** A scratch buffer's size is in words whatever its type. */
function bytesOf({ role, size, dtype }: PlanBuffer): number {
  return size * (role === 'scratch' ? 4 : bytesPerElement(dtype));
}

function dispatchOf(piece: Piece, pipelines: Pipelines, facts: AdapterFacts): Dispatch {
  const { kernel, windows, clears } = piece;
  const shader = generate(kernel, facts);
  const buffers = kernel.buffers.map((buffer) => buffer.id);
  const written = kernel.buffers.filter((buffer) => buffer.access !== 'read');
  return {
    label: kernel.label,
    pipeline: pipelines.get(kernel, shader),
    grid: shader.grid,
    buffers,
    windows,
    written: new Set(written.map((buffer) => buffer.id)),
    scalars: shader.scalars,
    clear: shader.clear === undefined || !clears ? undefined : buffers[shader.clear]!,
    groups: new Map(),
    latest: undefined,
  };
}

/** The bind group of a dispatch over these blocks (by plan buffer); a binding has at most `most` bytes. */
export function bindGroup(
  device: GPUDevice,
  dispatch: Dispatch,
  blocks: readonly Block[],
  scalars: Block | undefined,
  most: number,
): GPUBindGroup {
  const { buffers, latest } = dispatch;
  if (latest && buffers.every((id, i) => blocks[id]!.id === latest.ids[i])) return latest.group;
  const ids = buffers.map((id) => blocks[id]!.id);
  const key = ids.join(',');
  const group = dispatch.groups.get(key) ?? newGroup(device, dispatch, blocks, scalars, most);
  if (!dispatch.groups.has(key) && dispatch.groups.size >= KEPT_GROUPS)
    dispatch.groups.delete(dispatch.groups.keys().next().value!);
  dispatch.groups.set(key, group);
  dispatch.latest = { ids, group };
  return group;
}

function newGroup(
  device: GPUDevice,
  dispatch: Dispatch,
  blocks: readonly Block[],
  scalars: Block | undefined,
  most: number,
): GPUBindGroup {
  checkDistinct(dispatch, blocks);
  const bound = dispatch.buffers.map((id) => blocks[id]!);
  if (dispatch.scalars) bound.push(scalars!);
  const entries = bound.map((block, binding) => ({
    binding,
    resource: { buffer: block.gpu, ...part(block, dispatch.windows[binding], most) },
  }));
  const { label, pipeline } = dispatch;
  return device.createBindGroup({ label, layout: pipeline.layout, entries });
}

/** A block may be a little larger than what it is for, and then larger than a binding. */
function part(block: Block, window: Window | undefined, most: number): Partial<GPUBufferBinding> {
  const { offset, bytes } = window ?? { offset: 0, bytes: block.bytes };
  return { offset, size: Math.min(bytes, block.bytes - offset, most) };
}

/** WebGPU drops a whole submit when a dispatch writes a buffer that it binds twice: never let it. */
function checkDistinct(dispatch: Dispatch, blocks: readonly Block[]): void {
  for (const id of dispatch.written) {
    const same = dispatch.buffers.filter((other) => blocks[other]!.id === blocks[id]!.id);
    invariant(same.length === 1, `kernel ${dispatch.label} writes a buffer that it binds twice`);
  }
}
