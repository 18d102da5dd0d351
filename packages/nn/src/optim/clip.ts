/** @file Clipping by the global norm, on the device. */
import { InputError, type Tensor } from '@camada/tensor';

/** Clipped gradients and the norm they had. */
export interface Clipped {
  readonly gradients: Tensor[];
  /** Norm of all gradients together before clipping, []. */
  readonly norm: Tensor;
}

/** √Σ‖g‖² over all gradients, []. Throws InputError when there are none. */
export function globalNorm(gradients: readonly Tensor[]): Tensor {
  const [first, ...rest] = gradients.map((gradient) => gradient.square().sum());
  if (!first) throw new InputError('globalNorm: no gradients were given');
  return rest.reduce((total, sum) => total.add(sum), first).sqrt();
}

/**
 * Scales all gradients by min(1, maxNorm/(norm + 10⁻⁶)), PyTorch's `clip_grad_norm_` (Pascanu et al. 2013,
 * https://arxiv.org/abs/1211.5063). The norm stays on the device; a NaN in it reaches every gradient. Throws
 * InputError unless maxNorm is above 0.
 */
export function clipGradNorm(gradients: readonly Tensor[], maxNorm: number): Clipped {
  if (!(maxNorm > 0)) throw new InputError(`clipGradNorm: maxNorm ${maxNorm} is not above 0`);
  const norm = globalNorm(gradients);
  const factor = norm.add(1e-6).reciprocal().mul(maxNorm).minimum(1);
  return { gradients: gradients.map((gradient) => gradient.mul(factor)), norm };
}
