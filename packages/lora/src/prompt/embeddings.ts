/** @file Parts whose virtual tokens are embeddings: prompt tuning and P-tuning. */
import type { Model } from '@camada/nn';
import { InputError } from '@camada/tensor';
import type { ModelMethod } from '../method/method.ts';
import { checkFitsModel, type PromptConfig } from './config.ts';
import { direct, type Learnt } from './learnt.ts';
import { PROMPT_EMBEDDINGS, PromptPart, transformer } from './part.ts';
import { storedPrompt } from './stored.ts';

/** A part that puts P learnt embeddings [P, C] before each text. Throws InputError for Gemma 3. */
export function virtualEmbeddings(model: Model, tokens: number, learnt: Learnt): PromptPart {
  if (model.config.model_type === 'gemma3_text')
    throw new InputError(
      'Gemma 3 scales embeddings inside its table, so learnt ones would mean something else in PEFT; use prefix tuning',
    );
  return new PromptPart(tokens, learnt, (embeddings) => ({ embeddings }));
}

/** Reading a prompt from a file: the learnt embeddings, whatever network made them. */
export const restoredEmbeddings: Pick<ModelMethod<PromptConfig>, 'owns' | 'restore'> = {
  owns: (key) => key === PROMPT_EMBEDDINGS,
  restore(module, config, tensors) {
    const model = transformer(module);
    checkFitsModel(model, config, model.config.hidden_size);
    const { num_virtual_tokens: tokens, token_dim: width } = config;
    return virtualEmbeddings(model, tokens, direct(storedPrompt(tensors, [tokens, width])));
  },
};
