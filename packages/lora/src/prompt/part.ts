/** @file What the methods of this folder add to a model: something learnt, handed to every pass through `prompting`. */
import type { Context, Model, Module, Prompting, PromptValues } from '@camada/nn';
import { InputError, invalidateCaptures, type Tensor } from '@camada/tensor';
import type { ModelPart } from '../adapter/part.ts';
import type { Learnt } from './learnt.ts';

/** Key of the only tensor in PEFT's files of methods with virtual tokens. */
export const PROMPT_EMBEDDINGS = 'prompt_embeddings';

/** The model of an adapter that changes how a whole model is called. Throws InputError for what is no transformer. */
export function transformer(model: Module): Model {
  if ('prompting' in model && 'layers' in model) return model as Model;
  throw new InputError('prompts need a whole transformer model, not a part of one');
}

/** A part that adds to every pass of the model. */
export class PromptPart implements ModelPart, Prompting {
  readonly tokens: number;
  readonly #learnt: Learnt;
  readonly #values: (learnt: Tensor) => PromptValues;

  /** @param tokens P. @param learnt [P, W]. @param values what a pass makes of it. */
  constructor(tokens: number, learnt: Learnt, values: (learnt: Tensor) => PromptValues) {
    this.tokens = tokens;
    this.#learnt = learnt;
    this.#values = values;
  }

  /** What is stored: the learnt numbers themselves, without the network that made them. */
  get tensors(): ReadonlyMap<string, Tensor> {
    return new Map([[PROMPT_EMBEDDINGS, this.#learnt.value()]]);
  }

  /** What trains. */
  get trainable(): ReadonlyMap<string, Tensor> {
    return this.#learnt.trainable;
  }

  /** Of one pass. */
  values(_context: Context): PromptValues {
    return this.#values(this.#learnt.value());
  }

  /** Throws InputError when another adapter has put prompts on the model. */
  attach(model: Module): void {
    putPrompting(model, this);
  }

  /** Leaves the model without prompts. */
  detach(model: Module): void {
    takePrompting(model, this);
  }
}

/** Gives a model its prompts. Throws InputError when it has others. */
export function putPrompting(model: Module, prompting: Prompting): void {
  const target = transformer(model);
  if (target.prompting)
    throw new InputError(
      'the model already has prompts of another adapter; switch that off first, they cannot be combined',
    );
  target.prompting = prompting;
  invalidateCaptures();
}

/** Takes them away again. */
export function takePrompting(model: Module, prompting: Prompting): void {
  const target = transformer(model);
  if (target.prompting !== prompting) return;
  target.prompting = undefined;
  invalidateCaptures();
}
