/**
 * @file Matmul kernels: units of at most 240 × 128 outputs. Each is multiplied by the library, into the
 * output itself or into the thread's scratch, and there finished by the kernel's values and stores while hot.
 */
import { invariant } from '../../errors.ts';
import { contiguousStrides, sizeOf } from '../../shape.ts';
import type { MapKernel, MatmulKernel } from '../../schedule/kernel.ts';
import { i32, op, plus, times, type Expr, type Local } from './assembler.ts';
import { addressOf, type Region } from './emission.ts';
import { kernelFunction, pointCost, unitLoop } from './kernel-function.ts';
import type { Frame, KernelCode, Phase } from './kernel-function.ts';
import { K_BLOCK, LIBRARY, packerIndex } from './library.ts';
import { mapCode } from './map.ts';
import {
  hasFloatOperands,
  planMatmul,
  sideBytes,
  type MatmulPlan,
  type Side,
} from './matmul-plan.ts';
import { emitSpan, unrollFor } from './span.ts';

/** Rows copied by one unit. */
const COPY_ROWS = 64;
/** Nanoseconds of one multiply-add, and of one element copied or packed. */
const FLOP_COST = { plain: 0.05, relaxed: 0.04, copy: 0.4 } as const;

/** Bytes of the packed panels at the beginning of scratch; the tile of outputs comes after. */
function panelBytes(plan: MatmulPlan, inner: number): number {
  return Math.min(inner, K_BLOCK) * Math.ceil(plan.blocks[1] / 8) * 8 * 4;
}

function sum(...terms: readonly Expr[]): Expr {
  return terms.reduce((a, b) => op('i32.add', a, b));
}

/** Address of a side's element at the batch indices, and at `index` of its own axis; k = 0. */
function sideAddress(frame: Frame, side: Side, batch: readonly Local[], index: Expr): Expr {
  const bytes = sideBytes(side);
  const terms = batch.flatMap((local, axis) =>
    side.batch[axis] === 0 ? [] : [times(local, side.batch[axis]! * bytes)],
  );
  const base = plus(frame.e.regions[side.from]!.base, side.offset * bytes);
  return sum(base, ...terms, times(index, side.outer * bytes));
}

/** Strides, in rows of `size` elements of k, of the workspace that holds copied rows. */
function copiedStrides(plan: MatmulPlan): number[] {
  const strides = contiguousStrides([...plan.rowBatch, plan.sizes[0]]);
  return plan.rowBatch.map((size, axis) => (size === 1 ? 0 : strides[axis]!));
}

/** Copies rows to the workspace, 64 a unit. */
function copyPhase(kernel: MatmulKernel, plan: MatmulPlan, relaxed: boolean): Phase {
  const { rows } = plan;
  const blocks = Math.ceil(plan.sizes[0] / COPY_ROWS);
  const name = `rows.${rows.type}.${rows.outer === 1 ? 'across' : 'any'}`;
  const body = kernelFunction({ ...kernel, values: [], stores: [] }, relaxed, (frame) => {
    const { code, indices } = frame.e;
    const batch = indices.slice(0, -2);
    const block = code.let('i32', i32(0));
    const digits = plan.rowBatch.map((size, axis) => ({ local: batch[axis]!, size }));
    unitLoop(frame, [...digits, { local: block, size: blocks }], () => {
      const first = code.let('i32', times(block, COPY_ROWS));
      const count = code.let('i32', bounded(first, COPY_ROWS, plan.sizes[0]));
      const strides = copiedStrides(plan);
      const row = sum(first, ...batch.map((local, axis) => times(local, strides[axis]!)));
      const bytes = sideBytes(rows);
      code.call(
        LIBRARY.indexOf(name),
        sideAddress(frame, rows, batch, first),
        i32(rows.outer * bytes),
        i32(rows.inner * bytes),
        count,
        i32(kernel.inner),
        op('i32.add', frame.workspace, times(row, 4 * kernel.inner)),
      );
    });
  });
  const units = sizeOf(plan.rowBatch) * blocks;
  return { function: body, units, unitCost: COPY_ROWS * kernel.inner * FLOP_COST.copy };
}

/** `min(limit, size − first)`. */
function bounded(first: Local, limit: number, size: number): Expr {
  if (size % limit === 0) return i32(limit);
  const left = op('i32.sub', i32(size), first);
  return op('select', i32(limit), left, op('i32.gt_s', left, i32(limit)));
}

/** One unit while it is written. */
interface Unit {
  readonly kernel: MatmulKernel;
  readonly plan: MatmulPlan;
  readonly frame: Frame;
  /** First output index and number of outputs along the rows and the columns. */
  readonly first: readonly [Local, Local];
  readonly count: readonly [Local, Local];
}

/** Where the unit's outputs begin, and bytes between their rows. */
interface Target {
  readonly address: Expr;
  readonly rowBytes: number;
}

function targetOf(u: Unit): Target {
  const { plan, frame, kernel } = u;
  const { direct } = plan;
  if (!direct) {
    const rowBytes = Math.ceil(plan.blocks[1] / 8) * 32;
    return { address: plus(frame.scratch, panelBytes(plan, kernel.inner)), rowBytes };
  }
  const rank = kernel.loop.length;
  const rowAxis = plan.swapped ? rank - 1 : rank - 2;
  const region = frame.e.regions[direct.to]!;
  return {
    address: addressOf(frame.e, region, direct.at),
    rowBytes: 4 * direct.at.strides[rowAxis]!,
  };
}

function multiply(u: Unit, target: Target): void {
  const { kernel, plan, frame } = u;
  const { rows, columns } = plan;
  const { code } = frame.e;
  const batch = frame.e.indices.slice(0, -2);
  const strides = copiedStrides(plan);
  const copied = sum(u.first[0], ...batch.map((local, axis) => times(local, strides[axis]!)));
  const bytes = sideBytes(columns);
  code.call(
    LIBRARY.indexOf('gemm'),
    plan.copiesRows
      ? op('i32.add', frame.workspace, times(copied, 4 * kernel.inner))
      : sideAddress(frame, rows, batch, u.first[0]),
    i32(4 * (plan.copiesRows ? kernel.inner : rows.outer)),
    sideAddress(frame, columns, batch, u.first[1]),
    i32(columns.inner * bytes),
    i32(columns.outer * bytes),
    i32(packerIndex(columns.type, plan.layout)),
    i32(kernel.inner),
    u.count[0],
    u.count[1],
    target.address,
    i32(target.rowBytes),
    frame.scratch,
  );
}

/** The operand's side, 0 for the tile's rows and 1 for its columns, that an output axis belongs to. */
function sideOf(u: Unit, axis: number): 0 | 1 {
  const isLast = axis === u.kernel.loop.length - 1;
  return isLast === u.plan.swapped ? 0 : 1;
}

/** Lets the product be read from the tile. Returns the tile's strides over the loop. */
function readProduct(u: Unit, target: Target): number[] {
  const { kernel, frame } = u;
  const { code, stored } = frame.e;
  const rank = kernel.loop.length;
  const strides = kernel.loop.map((_, axis) => {
    if (axis < rank - 2) return 0;
    return sideOf(u, axis) === 0 ? target.rowBytes / 4 : 1;
  });
  // Addresses are taken at the output's own indices: the tile's corner stands for the unit's first ones.
  const corner = sum(times(u.first[0], target.rowBytes), times(u.first[1], 4));
  const base = code.let('i32', op('i32.sub', target.address, corner));
  const region: Region = { base, dtype: 'f32' };
  kernel.values.forEach((value, id) => {
    if (value.kind === 'product') stored.set(id, { region, at: { offset: 0, strides } });
  });
  return strides;
}

/** The output axis along which most addresses are neighbours; a store counts twice, the tile half. */
function finishAxis(kernel: MatmulKernel, tile: readonly number[]): number {
  const last = kernel.loop.length - 1;
  const cost = (axis: number): number => {
    const scattered = (strides: readonly number[]): boolean => Math.abs(strides[axis]!) > 1;
    const reads = kernel.values.filter(
      (value) => (value.kind === 'load' || value.kind === 'gather') && scattered(value.at.strides),
    ).length;
    const writes = kernel.stores.filter(({ at }) => scattered(at.strides)).length;
    return reads + 2 * writes + (scattered(tile) ? 0.5 : 0);
  };
  return cost(last - 1) < cost(last) ? last - 1 : last;
}

/** Values and stores over the unit's outputs, with the product read from scratch. */
function finish(u: Unit, target: Target): void {
  const { kernel, plan, frame } = u;
  const { e } = frame;
  const { code } = e;
  const axis = finishAxis(kernel, readProduct(u, target));
  const last = kernel.loop.length - 1;
  const outer = axis === last ? last - 1 : last;
  const [inSide, outSide] = [sideOf(u, axis), sideOf(u, outer)];
  const index = e.indices[outer]!;
  const end = code.let('i32', op('i32.add', u.first[outSide], u.count[outSide]));
  const high = code.let('i32', op('i32.add', u.first[inSide], u.count[inSide]));
  const whole = plan.sizes[inSide] % plan.blocks[inSide] === 0;
  const roots = kernel.stores.map(({ value }) => value);
  const span = {
    axis,
    low: u.first[inSide],
    high,
    length: whole ? plan.blocks[inSide] : undefined,
    unroll: unrollFor(e, roots, 2),
    roots: [],
    stores: kernel.stores,
  };
  code.set(index, u.first[outSide]);
  const step = (): void => {
    code.scope(() => emitSpan(e, span, frame.uniforms));
    code.set(index, plus(index, 1));
  };
  code.doWhile(step, op('i32.lt_s', index, end));
}

function mainPhase(kernel: MatmulKernel, plan: MatmulPlan, relaxed: boolean): Phase {
  const [rowBlock, columnBlock] = plan.blocks;
  const [rows, columns] = plan.sizes;
  const counts = [Math.ceil(rows / rowBlock), Math.ceil(columns / columnBlock)] as const;
  const batch = kernel.loop.slice(0, -2);
  const body = kernelFunction(kernel, relaxed, (frame) => {
    const { code, indices } = frame.e;
    const block = [code.let('i32', i32(0)), code.let('i32', i32(0))] as const;
    const digits = [
      ...batch.map((size, axis) => ({ local: indices[axis]!, size })),
      { local: block[1], size: counts[1] },
      { local: block[0], size: counts[0] },
    ];
    unitLoop(frame, digits, () => {
      const own = indices.slice(-2) as [Local, Local];
      const axes: readonly [Local, Local] = plan.swapped ? [own[1], own[0]] : own;
      axes.forEach((axis, i) => code.set(axis, times(block[i]!, plan.blocks[i]!)));
      const first = axes.map((axis) => code.let('i32', axis)) as unknown as [Local, Local];
      const count = axes.map((axis, i) =>
        code.let('i32', bounded(axis, plan.blocks[i]!, plan.sizes[i]!)),
      ) as unknown as [Local, Local];
      const unit: Unit = { kernel, plan, frame, first, count };
      const target = targetOf(unit);
      multiply(unit, target);
      if (!plan.direct) finish(unit, target);
    });
  });
  const perOutput =
    kernel.inner * (relaxed ? FLOP_COST.relaxed : FLOP_COST.plain) + pointCost(kernel);
  const unitCost = rowBlock * columnBlock * perOutput + columnBlock * kernel.inner * FLOP_COST.copy;
  return { function: body, units: sizeOf(batch) * counts[0] * counts[1], unitCost };
}

/** With nothing to sum over, the product is 0 and the kernel is a map. */
function emptySum(kernel: MatmulKernel): MapKernel {
  const { inner: _inner, a: _a, b: _b, ...rest } = kernel;
  const values = kernel.values.map((value) =>
    value.kind === 'product' ? ({ kind: 'constant', dtype: 'f32', value: 0 } as const) : value,
  );
  return { ...rest, kind: 'map', values };
}

/** Code of a matmul kernel. */
export function matmulCode(kernel: MatmulKernel, relaxed: boolean): KernelCode {
  invariant(hasFloatOperands(kernel), 'a matmul of operands that are not floats');
  if (kernel.inner === 0) return mapCode(emptySum(kernel), relaxed);
  const plan = planMatmul(kernel);
  const main = mainPhase(kernel, plan, relaxed);
  if (!plan.copiesRows) return { phases: [main], workspace: 0 };
  const workspace = 4 * sizeOf(plan.rowBatch) * plan.sizes[0] * kernel.inner;
  return { phases: [copyPhase(kernel, plan, relaxed), main], workspace };
}
