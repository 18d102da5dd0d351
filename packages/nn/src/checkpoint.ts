/** @file Gradient checkpointing of a model's blocks (`gradient_checkpointing` of Transformers). */
import { checkpoint } from '@camada/autograd';
import { invalidateCaptures, type Tensor } from '@camada/tensor';
import type { Model } from './models/model.ts';
import { getModule } from './module.ts';

interface Block {
  call: (...inputs: unknown[]) => Tensor;
}

/**
 * Lets every block of a model compute its inner values a second time in the backward pass instead of keeping them:
 * about a third more work for one kept activation [B, T, C] a block. Weights, names and numbers stay what they
 * are. Calling it twice is harmless only for the result: the blocks are then computed three times.
 */
export function checkpointLayers(model: Model): void {
  for (const { name } of model.layers) {
    const block = getModule(model, name) as unknown as Block;
    const call = block.call.bind(block);
    block.call = (...inputs) => checkpoint(call, ...inputs);
  }
  invalidateCaptures();
}
