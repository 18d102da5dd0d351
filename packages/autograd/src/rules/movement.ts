/**
 * @file Gradients of the movement ops. Each is the transpose of a selection of elements: what was copied
 * is summed, what was dropped gets zero.
 */
import type { Shape } from '@camada/tensor';
import { sumAxes } from './sum.ts';
import { smooth, type Rule } from './rule.ts';

/** dx = dy in x's shape. */
export const reshape: Rule<'reshape'> = smooth(({ node, dy }) => dy.reshape(node.inputs[0]!.shape));

/** dx = dy permuted by the inverse order. */
export const permute: Rule<'permute'> = smooth(({ node, dy }) => {
  const inverse: number[] = [];
  node.attrs.order.forEach((from, to) => (inverse[from] = to));
  return dy.permute(inverse);
});

/** dx = Σ dy over the repeated axes. */
export const expand: Rule<'expand'> = smooth(({ node, dy }) =>
  sumAxes(dy, repeatedAxes(node.inputs[0]!.shape, node.shape)),
);

function repeatedAxes(from: Shape, to: Shape): number[] {
  return to.flatMap((size, axis) => (from[axis] === 1 && size !== 1 ? [axis] : []));
}

/** dx = dy with zeros where x was passed over. */
export const slice: Rule<'slice'> = smooth(({ node, dy }) => {
  const { ranges } = node.attrs;
  const sizes = node.inputs[0]!.shape;
  const backwards = ranges.flatMap(({ step }, axis) => (step < 0 ? [axis] : []));
  const last = ranges.map(({ start, step, length }) => start + step * Math.max(0, length - 1));
  const low = ranges.map(({ start }, axis) => Math.min(start, last[axis]!));
  const high = ranges.map(({ start, length }, axis) =>
    length === 0 ? start - 1 : Math.max(start, last[axis]!),
  );
  return dy.flip(backwards).pad(
    low,
    sizes.map((size, axis) => size - 1 - high[axis]!),
    0,
    ranges.map(({ step }) => Math.abs(step) - 1),
  );
});

/** dx = dy at the elements that were not added. */
export const pad: Rule<'pad'> = smooth(({ node, dy }) => {
  const { before, interior } = node.attrs;
  return node.inputs[0]!.shape.reduce((rest, size, axis) => {
    const step = interior[axis]! + 1;
    const start = before[axis]!;
    const whole = size === node.shape[axis];
    return whole ? rest : rest.slice(axis, start, start + (size - 1) * step + 1, step);
  }, dy);
});

/** dx = dy skewed the other way, with zeros where x was passed over. */
export const shear: Rule<'shear'> = smooth(({ node, dy }) => {
  const { axis, along, by } = node.attrs;
  const shift = Math.abs(by) * (node.shape[along]! - 1);
  const around = dy.shape.map((_, i) => (i === axis ? shift : 0));
  return dy.pad(around, around).shear(axis, along, -by);
});
