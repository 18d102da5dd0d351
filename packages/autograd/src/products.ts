/**
 * @file Products with the Jacobian J of a function and with the Hessian of a loss; none is ever formed.
 * Pearlmutter 1994, "Fast exact multiplication by the Hessian".
 */
import { ShapeError, ones, sameShape, showShape, zeros } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { checkFloats, grad, gradients } from './grad.ts';

/** Builds a result from its inputs. */
export type TensorFunction = (inputs: readonly Tensor[]) => Tensor;

/** A result and Jᵀ·u. */
export interface VectorJacobian {
  readonly value: Tensor;
  /** One for each input, of its shape. */
  readonly gradients: Tensor[];
}

/** A result and J·v. */
export interface JacobianVector {
  readonly value: Tensor;
  /** The derivative of the value along v, of its shape. */
  readonly tangent: Tensor;
}

/** A loss and H·v. */
export interface HessianVector {
  readonly value: Tensor;
  /** One for each input, of its shape. */
  readonly products: Tensor[];
}

/**
 * The value of `f` at `inputs` and Jᵀ·u for a `u` of the value's shape. Inputs that do not matter get zeros.
 * Throws ShapeError when u has another shape, and what `grad` throws.
 */
export function vjp(f: TensorFunction, inputs: readonly Tensor[], u: Tensor): VectorJacobian {
  const value = f(inputs);
  checkDirections('vjp', [value], [u], 'u');
  return { value, gradients: gradients('vjp', value, u, inputs, true) };
}

/**
 * The value of `f` at `inputs` and J·v, the derivative along `v` (one for each input, of its shape). Jᵀ·u is
 * linear in u, and its own gradient along v is J·v: two sweeps, no forward rules.
 * Throws ShapeError when the directions do not fit, and what `grad` throws.
 */
export function jvp(
  f: TensorFunction,
  inputs: readonly Tensor[],
  v: readonly Tensor[],
): JacobianVector {
  checkDirections('jvp', inputs, v, 'v');
  const value = f(inputs);
  const u = zeros(value.shape).detach(); // a node of its own, whose value does not matter
  const back = gradients('jvp', value, u, inputs, true);
  const [tangent] = gradients('jvp', inner(back, v), ones([]), [u], true);
  return { value, tangent: tangent! };
}

/**
 * The loss `f` at `inputs` and its Hessian times `v` (one for each input, of its shape), by a gradient of
 * ⟨∇f, v⟩. Throws ShapeError when the loss has several elements or the directions do not fit.
 */
export function hvp(
  f: TensorFunction,
  inputs: readonly Tensor[],
  v: readonly Tensor[],
): HessianVector {
  checkDirections('hvp', inputs, v, 'v');
  const value = f(inputs);
  const slope = inner(grad(value, inputs), v);
  return { value, products: gradients('hvp', slope, ones([]), inputs, true) };
}

/** Σ ⟨xᵢ, yᵢ⟩, []. */
function inner(x: readonly Tensor[], y: readonly Tensor[]): Tensor {
  return x.map((one, i) => one.mul(y[i]!).sum()).reduce((sum, next) => sum.add(next), zeros([]));
}

function checkDirections(
  op: string,
  points: readonly Tensor[],
  directions: readonly Tensor[],
  name: string,
): void {
  checkFloats(op, points, op === 'vjp' ? 'the value' : 'of the inputs');
  if (points.length !== directions.length)
    throw new ShapeError(`${op}: ${directions.length} directions for ${points.length} inputs`);
  points.forEach(({ shape }, i) => {
    const got = directions[i]!.shape;
    if (!sameShape(shape, got))
      throw new ShapeError(
        `${op}: ${name} has shape ${showShape(got)}, wanted ${showShape(shape)}`,
      );
  });
}
