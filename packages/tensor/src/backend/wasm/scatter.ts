/**
 * @file Scatter: each unit owns some columns of the output, so that units never write the same
 * element and updates are taken in their order.
 */
import type { ScatterKernel } from '../../schedule/kernel.ts';
import { i32, laneMemory, load, op, plus, store, type Expr, type Local } from './assembler.ts';
import { kernelFunction, type Frame, type KernelCode } from './kernel-function.ts';
import { repeat } from './packing.ts';

/** Columns of one unit. */
const COLUMNS = 64;

/** Adds `columns` (four or one at a time) of one update to its row, or writes them over it. */
function takeRow(
  kernel: ScatterKernel,
  frame: Frame,
  from: Local,
  to: Local,
  columns: Local,
): void {
  const { code } = frame.e;
  const add = kernel.buffers[1]!.dtype === 'f32' ? 'f32x4.add' : 'i32x4.add';
  const taken = (before: Expr, update: Expr): Expr =>
    kernel.keep === 'sum' ? op(add, before, update) : update;
  const left = code.let('i32', columns);
  const step = (count: number, body: () => void): void =>
    code.while(op('i32.ge_s', left, i32(count)), () => {
      body();
      code.set(from, plus(from, 4 * count));
      code.set(to, plus(to, 4 * count));
      code.set(left, plus(left, -count));
    });
  step(4, () => {
    const sum = taken(load('v128.load', to), load('v128.load', from));
    code.do(store('v128.store', to, sum));
  });
  step(1, () => {
    const sum = taken(load('v128.load32_splat', to), load('v128.load32_splat', from));
    code.do(laneMemory('v128.store32_lane', 0, to, sum));
  });
}

function clearRow(frame: Frame, to: Local, columns: Local): void {
  const { code } = frame.e;
  const at = code.let('i32', to);
  repeat(code, columns, () => {
    code.do(store('i32.store', at, i32(0)));
    code.set(at, plus(at, 4));
  });
}

function writeUnit(kernel: ScatterKernel, frame: Frame, unit: Local): void {
  const { e } = frame;
  const { code } = e;
  const [index, updates, out] = e.regions.map(({ base }) => base) as [Local, Local, Local];
  const rowBytes = 4 * kernel.width;
  const first = code.let('i32', op('i32.mul', unit, i32(4 * COLUMNS)));
  const rest = op('i32.sub', i32(kernel.width), op('i32.mul', unit, i32(COLUMNS)));
  const columns = code.let('i32', rest);
  code.set(columns, op('select', columns, i32(COLUMNS), op('i32.lt_s', columns, i32(COLUMNS))));
  const corner = code.let('i32', op('i32.add', out, first));
  const row = code.let('i32', corner);
  repeat(code, i32(kernel.rows), () => {
    clearRow(frame, row, columns);
    code.set(row, plus(row, rowBytes));
  });
  const from = code.let('i32', op('i32.add', updates, first));
  const at = code.let('i32', index);
  repeat(code, i32(kernel.count), () => {
    const target = code.let('i32', load('i32.load', at));
    code.if(op('i32.lt_u', target, i32(kernel.rows)), () => {
      const source = code.let('i32', from);
      const to = code.let('i32', op('i32.add', corner, op('i32.mul', target, i32(rowBytes))));
      takeRow(kernel, frame, source, to, columns);
    });
    code.set(from, plus(from, rowBytes));
    code.set(at, plus(at, 4));
  });
}

/** Code of a scatter kernel. */
export function scatterCode(kernel: ScatterKernel, relaxed: boolean): KernelCode {
  const units = Math.ceil(kernel.width / COLUMNS);
  const body = kernelFunction(kernel, relaxed, (frame) => {
    const { code } = frame.e;
    const unit = code.let('i32', frame.begin);
    code.while(op('i32.lt_u', unit, frame.end), () => {
      code.scope(() => writeUnit(kernel, frame, unit));
      code.set(unit, plus(unit, 1));
    });
  });
  const unitCost = Math.min(COLUMNS, kernel.width) * (kernel.rows + kernel.count) * 0.3;
  return { phases: [{ function: body, units, unitCost }], workspace: 0 };
}
