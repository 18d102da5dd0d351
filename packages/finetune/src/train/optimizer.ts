/** @file The optimizers that a run may take. */
import { AdamW, AdamW8bit, type AdamWOptions, type Optimizer } from '@camada/nn';
import type { Tensor } from '@camada/tensor';

/** PyTorch's AdamW, and bitsandbytes' with 8-bit moments. */
export const OPTIMIZERS = ['adamw', 'adamw-8bit'] as const;

/** One of `OPTIMIZERS`. */
export type OptimizerName = (typeof OPTIMIZERS)[number];

/** An optimizer of parameters. */
export function createOptimizer(
  name: OptimizerName,
  parameters: ReadonlyMap<string, Tensor>,
  options: AdamWOptions,
): Optimizer {
  return name === 'adamw' ? new AdamW(parameters, options) : new AdamW8bit(parameters, options);
}
