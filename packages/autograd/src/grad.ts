/** @file Gradients of a loss: `grad` and what is built on it. */
import {
  DTypeError,
  InputError,
  ShapeError,
  isFloat,
  ones,
  showShape,
  zeros,
} from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { checkArrival, nameOf } from './meaning.ts';
import { sweep } from './sweep.ts';

/** A value and its gradients. */
export interface ValueAndGradients {
  readonly value: Tensor;
  /** One for each wanted tensor, of its shape and dtype. */
  readonly gradients: Tensor[];
}

/** Settings of `grad`. */
export interface GradOptions {
  /**
   * What becomes of a tensor to which no gradient passes: zeros (true), or an InputError that says whether it is
   * not connected to the loss or cut off from it (false). @defaultValue true
   */
  readonly allowUnused?: boolean;
}

/**
 * Gradients of a loss of one element with respect to each tensor of `wrt` (parameters, inputs, or values on the
 * way), in their shapes and dtypes. Tensors are found by identity: pass the very ones that the loss was
 * built from. Differentiate before the loss is read: a value that was read has forgotten how it was made.
 *
 * Throws ShapeError when the loss has more than one element; DTypeError when the loss or a wanted tensor is
 * no float, or reaches the loss only through integers or bools; InputError when the loss has no history,
 * and, with `allowUnused: false`, when no gradient passes to a tensor.
 */
export function grad(loss: Tensor, wrt: readonly Tensor[], options: GradOptions = {}): Tensor[] {
  if (loss.size !== 1)
    throw new ShapeError(
      `grad: the loss must have one element, not shape ${showShape(loss.shape)}: reduce it with mean() or sum()`,
    );
  checkFloats('grad', [loss], 'the loss');
  checkFloats('grad', wrt, 'of wrt');
  checkHistory(loss, wrt);
  return gradients('grad', loss, ones(loss.shape), wrt, options.allowUnused ?? true);
}

/** The value of `f()` and its gradients with respect to `wrt`, as `grad` gives them. */
export function valueAndGrad(
  f: () => Tensor,
  wrt: readonly Tensor[],
  options: GradOptions = {},
): ValueAndGradients {
  const value = f();
  return { value, gradients: grad(value, wrt, options) };
}

/** The value of `x`, through which no gradient passes. */
export function stopGradient(x: Tensor): Tensor {
  return x.detach();
}

/** Jᵀ·seed for one result, in the shapes and dtypes of `wrt`; see `grad` for what is thrown. */
export function gradients(
  op: string,
  result: Tensor,
  seed: Tensor,
  wrt: readonly Tensor[],
  allowUnused: boolean,
): Tensor[] {
  const swept = sweep([result], [seed], wrt);
  checkArrival(op, swept, wrt, allowUnused);
  return wrt.map(({ shape, dtype }, i) => swept.gradients[i]?.cast(dtype) ?? zeros(shape, dtype));
}

function checkHistory({ node }: Tensor, wrt: readonly Tensor[]): void {
  if (node.op === 'buffer' && wrt.every((x) => x.node !== node))
    throw new InputError(
      'grad: the loss is plain memory without a history: it was read, realized or assigned before, or is host ' +
        'data. Take gradients first, then read',
    );
}

/** Throws DTypeError unless all are floats. */
export function checkFloats(op: string, tensors: readonly Tensor[], what: string): void {
  tensors.forEach(({ node, dtype, shape }, i) => {
    if (isFloat(dtype)) return;
    const which = what.startsWith('the') ? what : `tensor ${i} ${what}`;
    throw new DTypeError(
      `${op}: ${which} is ${dtype} ${showShape(shape)}, made by ${nameOf(node)}; only f32, f16 and bf16 have gradients`,
    );
  });
}
