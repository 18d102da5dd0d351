/**
 * @file Gradient checkpointing: what a function computes inside is forgotten after the forward pass and computed
 * again when the gradient of its result arrives. Chen et al. 2016, https://arxiv.org/abs/1604.06174.
 */
import { customGradient, recomputable, zeros } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { sweep } from './sweep.ts';

/**
 * `f(...inputs)`, whose inner values are not kept for the backward pass (PyTorch's `checkpoint`). Tensors and
 * parameters that `f` closes over get their gradients too, and random numbers are drawn the same again. `f`
 * runs once on the host; what it computes runs twice on the device.
 *
 * A value made inside and leaked out of `f` gets no gradient.
 */
export function checkpoint<T extends readonly unknown[]>(
  f: (...inputs: T) => Tensor,
  ...inputs: T
): Tensor {
  const { value, boundary, again } = recomputable(() => f(...inputs));
  return customGradient(value, boundary, (args, _value, dy, wanted) => {
    const copy = again(args, dy);
    const asked = wanted.flatMap((yes, i) => (yes ? [i] : []));
    const targets = asked.map((i) => copy.boundary[i]!);
    const { gradients } = sweep([copy.value], [dy], targets);
    const found = new Map(asked.map((i, n) => [i, gradients[n]]));
    return args.map(({ shape }, i) => found.get(i) ?? zeros(shape));
  });
}
