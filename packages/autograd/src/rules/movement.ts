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

/** dx = dy with zeros where x was cut away. */
export const slice: Rule<'slice'> = smooth(({ node, dy }) => {
  const { ranges } = node.attrs;
  const sizes = node.inputs[0]!.shape;
  return dy.pad(
    ranges.map((range) => range.start),
    ranges.map((range, axis) => sizes[axis]! - range.start - range.length),
  );
});

/** dx = dy without the added elements. */
export const pad: Rule<'pad'> = smooth(({ node, dy }) => {
  const { before, after } = node.attrs;
  const sizes = node.inputs[0]!.shape;
  return sizes.reduce(
    (rest, size, axis) =>
      before[axis] === 0 && after[axis] === 0
        ? rest
        : rest.slice(axis, before[axis]!, before[axis]! + size),
    dy,
  );
});
