/** @file From a finished draft to a Kernel: axes become loop positions, neighbouring axes merge, nodes become buffers. */
import type { DType } from '../dtype.ts';
import { nodeSize, type Node, type NodeOf } from '../graph/node.ts';
import { leaves, toAffine, type Axis, type Expr } from './affine.ts';
import { memoryOf, type Draft, type DraftValue } from './draft.ts';
import type { Affine, Kernel, KernelBuffer, Operand, Store, Value } from './kernel.ts';
import type { Strided } from './operand.ts';

/** A kernel whose buffers are numbered by `memory` rather than by the plan. */
export interface Emitted {
  readonly kernel: Kernel;
  /** The memory behind `kernel.buffers[i]`, whose id is i. */
  readonly memory: readonly object[];
}

/** Numbers the buffers of one kernel. */
class BufferTable {
  readonly memory: object[] = [];
  readonly buffers: { id: number; dtype: DType; access: 'read' | 'write' | 'read_write' }[] = [];

  at(node: Node, access: 'read' | 'write'): number {
    const key = memoryOf(node);
    const known = this.memory.indexOf(key);
    if (known >= 0) {
      const buffer = this.buffers[known]!;
      if (buffer.access !== access) buffer.access = 'read_write';
      return known;
    }
    this.memory.push(key);
    return this.buffers.push({ id: this.memory.length - 1, dtype: node.dtype, access }) - 1;
  }
}

/** Merges groups of neighbouring axes over which every address is one stride. */
function collapse(
  groups: readonly (readonly Axis[])[],
  addresses: readonly Affine[],
): number[][][] {
  let next = 0;
  return groups.map((group) => {
    const merged: number[][] = [];
    for (const axis of group) {
      const position = next++;
      const last = merged.at(-1);
      const joins =
        last &&
        addresses.every((a) => a.strides[last.at(-1)!]! === a.strides[position]! * axis.size);
      if (joins) last.push(position);
      else merged.push([position]);
    }
    return merged;
  });
}

function addressesOf(draft: Draft, axes: readonly Axis[]): Affine[] {
  const fromValues = draft.values.flatMap((value) =>
    'at' in value
      ? [toAffine(value.at, axes)]
      : value.kind === 'random'
        ? [toAffine(value.counter, axes)]
        : [],
  );
  return [...fromValues, ...draft.stores.map((store) => toAffine(store.at, axes))];
}

/** Loop axes after merging: sizes, how many belong to each group, and how to project an address. */
interface Loops {
  readonly sizes: number[];
  readonly counts: number[];
  readonly project: (affine: Affine) => Affine;
}

/** Merged loops over groups of axes. The first group keeps at least one axis, of size 1 if need be. */
function mergeLoops(groups: readonly (readonly Axis[])[], addresses: readonly Affine[]): Loops {
  const axes = groups.flat();
  const merged = collapse(groups, addresses);
  const flat = merged.flat();
  const sizes = flat.map((positions) => positions.reduce((n, p) => n * axes[p]!.size, 1));
  const counts = merged.map((group) => group.length);
  const project = ({ offset, strides }: Affine): Affine => ({
    offset,
    strides: flat.map((positions) => strides[positions.at(-1)!]!),
  });
  if (counts[0]! > 0) return { sizes, counts, project };
  return {
    sizes: [1, ...sizes],
    counts: [1, ...counts.slice(1)],
    project: (affine) => ({ offset: affine.offset, strides: [0, ...project(affine).strides] }),
  };
}

function emitValues(draft: Draft, table: BufferTable, affine: (expr: Expr) => Affine): Value[] {
  return draft.values.map((value: DraftValue): Value => {
    switch (value.kind) {
      case 'index':
        return { ...value, at: affine(value.at) };
      case 'random':
        return { ...value, counter: affine(value.counter) };
      case 'load':
      case 'gather': {
        const { guard, ...rest } = value;
        const placed = { ...rest, from: table.at(value.from, 'read'), at: affine(value.at) };
        return (guard === undefined ? placed : { ...placed, guard }) as Value;
      }
      default:
        return value;
    }
  });
}

function emitStores(draft: Draft, table: BufferTable, affine: (expr: Expr) => Affine): Store[] {
  return draft.stores.map((store) => ({
    to: table.at(store.to, 'write'),
    at: affine(store.at),
    value: store.value,
  }));
}

/** Emits a map or row kernel. `axes` are the outer loop axes, `row` the row axes if there are any. */
export function emitLoops(
  label: string,
  draft: Draft,
  loop: readonly Axis[],
  row: readonly Axis[] | undefined,
): Emitted {
  const rowAxes = row?.flatMap(leaves) ?? [];
  const outer = loop.flatMap(leaves).filter((axis) => !rowAxes.includes(axis));
  const groups = row ? [outer, rowAxes] : [outer];
  const axes = groups.flat();
  const loops = mergeLoops(groups, addressesOf(draft, axes));
  const affine = (expr: Expr): Affine => loops.project(toAffine(expr, axes));
  const table = new BufferTable();
  const values = emitValues(draft, table, affine);
  const stores = emitStores(draft, table, affine);
  const base = { label, buffers: table.buffers as KernelBuffer[], values, stores };
  if (!row) return { kernel: { kind: 'map', ...base, loop: loops.sizes }, memory: table.memory };
  const rows = { loop: loops.sizes, rowAxes: loops.counts[1]!, stages: draft.stages };
  return { kernel: { kind: 'row', ...base, ...rows }, memory: table.memory };
}

/** The operands of a matmul kernel. */
export interface MatmulOperands {
  readonly a: Strided;
  readonly b: Strided;
  /** Loop axes: batch axes, then M, then N. */
  readonly axes: readonly Axis[];
  readonly inner: number;
}

/**
 * Emits a matmul kernel with its epilogue; undefined when the epilogue needs M or N in parts. Batches
 * that share b become rows of one product.
 */
export function emitMatmul(
  label: string,
  draft: Draft,
  operands: MatmulOperands,
): Emitted | undefined {
  const { a, b, axes: loop } = operands;
  const groups = loop.map(leaves);
  const axes = groups.flat();
  const addresses = addressesOf(draft, axes);
  const merged = collapse(groups, addresses);
  if (merged.some((group) => group.length > 1)) return undefined;
  const stride = ({ offset, strides }: Affine): Affine => ({
    offset,
    strides: merged.map((group) => (group[0] ? strides[group[0].at(-1)!]! : 0)),
  });
  const table = new BufferTable();
  const operand = (x: Strided): Operand => ({
    from: table.at(x.node, 'read'),
    offset: x.offset,
    batch: x.strides.slice(0, -2),
    row: x.strides.at(-2)!,
    column: x.strides.at(-1)!,
  });
  const left = operand(a);
  const right = operand(b);
  const affine = (expr: Expr): Affine => stride(toAffine(expr, axes));
  const values = emitValues(draft, table, affine);
  const stores = emitStores(draft, table, affine);
  const sizes = loop.map((axis) => axis.size);
  const full: Kernel = {
    kind: 'matmul',
    label,
    buffers: table.buffers as KernelBuffer[],
    values,
    stores,
    loop: sizes,
    inner: operands.inner,
    a: left,
    b: right,
  };
  return { kernel: alongRows(mergeBatches(full)), memory: table.memory };
}

type MatmulKernelType = Extract<Kernel, { kind: 'matmul' }>;

/** A result stored column by column is computed as (BᵀAᵀ) instead, so that stores run along memory. */
function alongRows(kernel: MatmulKernelType): MatmulKernelType {
  const { strides } = kernel.stores[0]!.at;
  if (strides.at(-1) === 1 || strides.at(-2) !== 1 || kernel.loop.at(-1) === 1) return kernel;
  const swap = <T>(list: readonly T[]): T[] => [...list.slice(0, -2), list.at(-1)!, list.at(-2)!];
  const turned = rebuild(kernel, {
    loop: swap(kernel.loop),
    strides: swap,
    operand: (o) => ({ ...o, row: o.column, column: o.row }),
  });
  return { ...turned, a: turned.b, b: turned.a };
}

/** Merges batch axes with their right neighbour (another batch axis, or M) while every address allows. */
function mergeBatches(kernel: MatmulKernelType): MatmulKernelType {
  let current = dropUnitBatches(kernel);
  for (let axis = current.loop.length - 3; axis >= 0; axis--)
    current = mergeAxis(current, axis) ?? current;
  return current;
}

function dropUnitBatches(kernel: MatmulKernelType): MatmulKernelType {
  const keep = kernel.loop.map((size, i) => size > 1 || i >= kernel.loop.length - 2);
  const batch = keep.slice(0, -2);
  return rebuild(kernel, {
    loop: kernel.loop.filter((_, i) => keep[i]),
    strides: (s) => s.filter((_, i) => keep[i]),
    operand: (o) => ({ ...o, batch: o.batch.filter((_, i) => batch[i]) }),
  });
}

function mergeAxis(kernel: MatmulKernelType, axis: number): MatmulKernelType | undefined {
  const { a, b, loop } = kernel;
  const intoM = axis === loop.length - 3;
  const size = loop[axis + 1]!;
  const lines = (outer: number, inner: number): boolean => outer === inner * size;
  const nextA = intoM ? a.row : a.batch[axis + 1]!;
  const nextB = intoM ? 0 : b.batch[axis + 1]!;
  const addresses = affinesOf(kernel);
  const fits =
    lines(a.batch[axis]!, nextA) &&
    lines(b.batch[axis]!, nextB) &&
    addresses.every(({ strides }) => lines(strides[axis]!, strides[axis + 1]!));
  if (!fits) return undefined;
  const without = <T>(list: readonly T[]): T[] => list.filter((_, i) => i !== axis);
  return rebuild(kernel, {
    loop: without(loop.map((n, i) => (i === axis + 1 ? n * loop[axis]! : n))),
    strides: without,
    operand: (o) => ({ ...o, batch: without(o.batch) }),
  });
}

function affinesOf(kernel: Kernel): Affine[] {
  const own = kernel.values.flatMap((v) =>
    'at' in v ? [v.at] : v.kind === 'random' ? [v.counter] : [],
  );
  return [...own, ...kernel.stores.map((store) => store.at)];
}

interface Change {
  readonly loop: number[];
  readonly strides: (strides: readonly number[]) => number[];
  readonly operand: (operand: Operand) => Operand;
}

function rebuild(kernel: MatmulKernelType, change: Change): MatmulKernelType {
  const affine = ({ offset, strides }: Affine): Affine => ({
    offset,
    strides: change.strides(strides),
  });
  const values = kernel.values.map((v): Value => {
    if ('at' in v) return { ...v, at: affine(v.at) };
    return v.kind === 'random' ? { ...v, counter: affine(v.counter) } : v;
  });
  const stores = kernel.stores.map((store) => ({ ...store, at: affine(store.at) }));
  const a = change.operand(kernel.a);
  const b = change.operand(kernel.b);
  return { ...kernel, loop: change.loop, values, stores, a, b };
}

/** Emits a sort kernel over whole buffers. */
export function emitSort(label: string, node: NodeOf<'argsort'>): Emitted {
  const table = new BufferTable();
  table.at(node.inputs[0]!, 'read');
  table.at(node, 'write');
  const length = node.shape.at(-1)!;
  const rows = nodeSize(node as Node) / length;
  const kernel: Kernel = {
    kind: 'sort',
    label,
    buffers: table.buffers as KernelBuffer[],
    values: [],
    stores: [],
    loop: [rows, length],
    rows,
    length,
    descending: node.attrs.descending,
  };
  return { kernel, memory: table.memory };
}

/** Emits a scatter kernel over whole buffers. */
export function emitScatter(label: string, node: NodeOf<'scatter'>): Emitted {
  const [index, updates] = node.inputs as readonly [Node, Node];
  const table = new BufferTable();
  table.at(index, 'read');
  table.at(updates, 'read');
  table.at(node, 'write');
  const [rows, width] = node.shape as [number, number];
  const kernel: Kernel = {
    kind: 'scatter',
    label,
    buffers: table.buffers as KernelBuffer[],
    values: [],
    stores: [],
    loop: [rows, width],
    keep: node.attrs.keep,
    rows,
    width,
    count: index.shape[0]!,
  };
  return { kernel, memory: table.memory };
}
