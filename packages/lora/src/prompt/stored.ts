/** @file The one tensor of a stored prompt. */
import { InputError, sameShape, showShape, type Shape, type Tensor } from '@camada/tensor';
import { PROMPT_EMBEDDINGS } from './part.ts';

/** `prompt_embeddings` of a file. Throws InputError when it is missing or of another shape than the config says. */
export function storedPrompt(tensors: ReadonlyMap<string, Tensor>, shape: Shape): Tensor {
  const found = tensors.get(PROMPT_EMBEDDINGS);
  if (found && sameShape(found.shape, shape)) return found;
  throw new InputError(
    `the adapter's ${PROMPT_EMBEDDINGS} is ${found ? showShape(found.shape) : 'missing'}, but its config says ` +
      `${showShape(shape)}; the config and the tensors do not belong together`,
  );
}
