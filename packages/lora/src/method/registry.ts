/** @file The table of methods by PEFT's `peft_type`: a new method is one line here. */
import { InputError } from '@camada/tensor';
import { BOTTLENECK } from '../added/bottleneck.ts';
import { IA3 } from '../added/ia3.ts';
import { LN_TUNING } from '../added/ln-tuning.ts';
import { SHIRA } from '../added/sparse.ts';
import { ADALORA } from '../lowrank/adalora.ts';
import { LORA } from '../lowrank/lora.ts';
import { VERA } from '../lowrank/vera.ts';
import { BITFIT } from '../partial/bitfit.ts';
import { ADAPTION_PROMPT } from '../prompt/adaption-prompt.ts';
import { P_TUNING } from '../prompt/p-tuning.ts';
import { PREFIX_TUNING } from '../prompt/prefix-tuning.ts';
import { PROMPT_TUNING } from '../prompt/prompt-tuning.ts';
import type { Method } from './method.ts';

const ADDED: readonly Method[] = [IA3, LN_TUNING, SHIRA, BOTTLENECK, BITFIT];

const PROMPTS: readonly Method[] = [PROMPT_TUNING, P_TUNING, PREFIX_TUNING, ADAPTION_PROMPT];

const ALL: readonly Method[] = [LORA, VERA, ADALORA, ...ADDED, ...PROMPTS];

/** Methods by `peft_type`. */
export const METHODS: ReadonlyMap<string, Method> = new Map(
  ALL.map((method) => [method.peftType, method]),
);

/** The method of a `peft_type`. Throws InputError, naming the file, when there is none. */
export function methodOf(peftType: string, file: string): Method {
  const method = METHODS.get(peftType);
  if (method) return method;
  throw new InputError(
    `${file}: peft_type is "${peftType}", but only ${[...METHODS.keys()].join(', ')} can be read; ` +
      'merge it into the model with PEFT, or convert it.',
  );
}
