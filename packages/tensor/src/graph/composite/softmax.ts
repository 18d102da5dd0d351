/** @file Softmax and its logarithms. The scheduler fuses them: a softmax written here is one kernel. */
import { normalizeAxis } from '../../shape.ts';
import * as build from '../build.ts';
import type { Node } from '../node.ts';
import { literal } from './literal.ts';
import { peak, restore, sum } from './reduction.ts';

const { elementwise } = build;

/** x minus its largest element on the axis, through which no gradient need pass. */
function shifted(x: Node, axis: number): Node {
  return elementwise('sub', [x, peak(x, [axis])]);
}

/** eˣ / Σ eˣ along an axis, shifted by the maximum. Its gradient y·(dy − Σ dy·y) needs the result only. */
export function softmax(x: Node, axis: number): Node {
  const a = normalizeAxis('softmax', axis, x.shape.length);
  if (x.shape[a] === 0) return build.cast(x, 'f32');
  const e = elementwise('exp', [shifted(x, a)]);
  const value = elementwise('div', [e, sum(e, [a], true)]);
  return build.customGradient(value, [x], (_args, y, dy) => {
    const inner = sum(elementwise('mul', [dy, y]), [a], true);
    return [elementwise('mul', [y, elementwise('sub', [dy, inner])])];
  });
}

/** log softmax along an axis. Its gradient dy − eʸ·Σ dy needs the result only. */
export function logSoftmax(x: Node, axis: number): Node {
  const a = normalizeAxis('logSoftmax', axis, x.shape.length);
  if (x.shape[a] === 0) return build.cast(x, 'f32');
  const s = shifted(x, a);
  const total = sum(elementwise('exp', [s]), [a], true);
  const value = elementwise('sub', [s, elementwise('log', [total])]);
  return build.customGradient(value, [x], (_args, y, dy) => {
    const spread = elementwise('mul', [elementwise('exp', [y]), sum(dy, [a], true)]);
    return [elementwise('sub', [dy, spread])];
  });
}

/**
 * log Σ eˣ over axes, shifted by the maximum where that is finite: −∞ where all are −∞. Its gradient
 * dy·e^(x−max)/Σ does not go through the result, which has few digits left where x is large. Throws
 * ShapeError over no elements.
 */
export function logSumExp(x: Node, axes: readonly number[], keepDims: boolean): Node {
  const real = build.cast(x, 'f32');
  const top = finite(peak(real, axes));
  const e = elementwise('exp', [elementwise('sub', [real, top])]);
  const total = sum(e, axes, true);
  const value = elementwise('add', [elementwise('log', [total]), top]);
  const nothing = elementwise('eq', [total, literal(0, total)]);
  const divisor = elementwise('where', [nothing, literal(1, total), total]);
  const y = build.customGradient(value, [real], (_args, _result, dy) => [
    elementwise('mul', [dy, elementwise('div', [e, divisor])]),
  ]);
  return restore(y, x, axes, keepDims);
}

/** x, and 0 where it is infinite. */
export function finite(x: Node): Node {
  const infinite = elementwise('eq', [elementwise('abs', [build.detach(x)]), literal(Infinity, x)]);
  return elementwise('where', [infinite, literal(0, x), x]);
}
