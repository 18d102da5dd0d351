/** @file Gradients of the reductions. */
import type { Tensor } from '@camada/tensor';
import { smooth, type Rule, type Step } from './rule.ts';

/** Reductions by sum, max and min. */
export const reduce: Rule<'reduce'> = smooth((step) =>
  step.node.attrs.name === 'sum' ? spread(step, step.dy) : extremum(step),
);

/** d Σx = 1: dy repeated over the reduced axes. */
function spread({ node, x }: Step<'reduce'>, value: Tensor): Tensor {
  const { shape } = x[0]!;
  const kept = shape.map((size, axis) => (node.attrs.axes.includes(axis) ? 1 : size));
  return value.reshape(kept).expand(shape);
}

/** d max x: shared equally by the positions that hold the maximum (PyTorch's amax). */
function extremum(step: Step<'reduce'>): Tensor {
  const { node, dy, x, y } = step;
  const winners = x[0]!.eq(spread(step, y)).detach().cast('f32');
  const count = winners.sum(node.attrs.axes);
  return spread(step, dy.div(count)).mul(winners);
}
