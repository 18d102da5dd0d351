/** @file Gradients of the reductions. */
import type { Tensor } from '@camada/tensor';
import { smooth, type Rule, type Step } from './rule.ts';

/** Reductions by sum, product, max and min. */
export const reduce: Rule<'reduce'> = smooth((step) => {
  if (step.node.attrs.name === 'sum') return spread(step, step.dy);
  return step.node.attrs.name === 'prod' ? product(step) : extremum(step);
});

/** d Σx = 1: dy repeated over the reduced axes. */
function spread({ node, x }: Step<'reduce'>, value: Tensor): Tensor {
  const { shape } = x[0]!;
  const kept = shape.map((size, axis) => (node.attrs.axes.includes(axis) ? 1 : size));
  return value.reshape(kept).expand(shape);
}

/** d Πx / dxᵢ = Π of the others, from both sides: no division, so zeros do no harm. */
function product(step: Step<'reduce'>): Tensor {
  const x = step.x[0]!;
  const { axes } = step.node.attrs;
  const kept = x.shape.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
  const order = [...kept, ...axes];
  const moved = x.permute(order);
  const rows = moved.reshape([...kept.map((axis) => x.shape[axis]!), -1]); // [..., n]
  const before = rows.cumprod(-1, { exclusive: true });
  const after = rows.cumprod(-1, { exclusive: true, reverse: true });
  const others = before.mul(after).reshape(moved.shape);
  const back = order.map((_, axis) => order.indexOf(axis));
  return spread(step, step.dy).mul(others.permute(back));
}

/** d max x: shared equally by the positions that hold the maximum (PyTorch's amax). */
function extremum(step: Step<'reduce'>): Tensor {
  const { node, dy, x, y } = step;
  const winners = x[0]!.eq(spread(step, y)).detach().cast('f32');
  const count = winners.sum(node.attrs.axes);
  return spread(step, dy.div(count)).mul(winners);
}
