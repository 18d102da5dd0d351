/** @file Map kernels: every point of the loop on its own, in spans along the last axis. */
import type { MapKernel } from '../../schedule/kernel.ts';
import { i32, op, plus, type Expr } from './assembler.ts';
import {
  kernelFunction,
  pointCost,
  unitLoop,
  type Frame,
  type KernelCode,
} from './kernel-function.ts';
import { asStrips } from './map-strips.ts';
import { writeRowsAcross } from './row-across.ts';
import { emitSpan, unrollFor } from './span.ts';

/** Longest span of one unit; longer inner axes are cut. A multiple of every step. */
const CHUNK = 4096;

function writeMap(kernel: MapKernel, frame: Frame): void {
  const { e, uniforms } = frame;
  const axis = kernel.loop.length - 1;
  const length = kernel.loop[axis]!;
  const chunks = length > 2 * CHUNK ? Math.ceil(length / CHUNK) : 1;
  const chunk = e.code.let('i32', i32(0));
  const outer = kernel.loop.slice(0, -1).map((size, i) => ({ local: e.indices[i]!, size }));
  const whole = chunks === 1;
  unitLoop(frame, [...outer, { local: chunk, size: chunks }], () => {
    const low = whole ? i32(0) : e.code.let('i32', op('i32.mul', chunk, i32(CHUNK)));
    const high = whole ? i32(length) : e.code.let('i32', chunkEnd(low, length));
    const unroll = unrollFor(
      e,
      kernel.stores.map(({ value }) => value),
      2,
    );
    // Whole spans have a known length; cut ones a multiple of the step but for the last.
    const known = whole ? length : length % CHUNK === 0 ? CHUNK : undefined;
    const span = { axis, low, high, length: known, unroll, roots: [], stores: kernel.stores };
    emitSpan(e, span, uniforms);
  });
}

function chunkEnd(low: Expr, length: number): Expr {
  const end = plus(low, CHUNK);
  return op('select', end, i32(length), op('i32.lt_s', end, i32(length)));
}

/** Code of a map kernel. */
export function mapCode(kernel: MapKernel, relaxed: boolean): KernelCode {
  const strips = asStrips(kernel);
  if (strips) {
    const rowCost = strips.plan.length * pointCost(kernel);
    return writeRowsAcross(strips.kernel, strips.plan, relaxed, rowCost);
  }
  const length = kernel.loop.at(-1)!;
  const chunks = length > 2 * CHUNK ? Math.ceil(length / CHUNK) : 1;
  const units = kernel.loop.slice(0, -1).reduce((product, size) => product * size, chunks);
  const points = kernel.loop.reduce((product, size) => product * size, 1);
  const unitCost = (points / units) * pointCost(kernel) + 4;
  const body = kernelFunction(kernel, relaxed, (frame) => writeMap(kernel, frame));
  return { phases: [{ function: body, units, unitCost }], workspace: 0 };
}
