/**
 * @file BitFit: the biases train, everything else is frozen (Ben Zaken et al. 2021, https://arxiv.org/abs/2106.10199). PEFT
 * does not have it: the file is in PEFT's layout, with a `peft_type` of ours and each bias under its name.
 */
import type { Config, JsonRecord } from '@camada/hub';
import type { Module } from '@camada/nn';
import { InputError } from '@camada/tensor';
import { checkpointParameters } from '../adapter/saved.ts';
import type { ModelPart } from '../adapter/part.ts';
import type { ModelMethod } from '../method/method.ts';
import { PEFT_KEYS, readPeftFields, type PeftConfig } from '../peft/common.ts';

/**
 * Settings that train the biases inside some modules (paths; all biases when left out) beside `modules_to_save`. Throws
 * InputError where there are none, as in Llama.
 */
export function bitFitConfig(
  model: Module,
  options: Partial<PeftConfig> = {},
  within?: readonly string[],
): PeftConfig {
  const inside = (name: string): boolean =>
    within?.some((path) => name.startsWith(`${path}.`)) ?? true;
  const biases = [...checkpointParameters(model).keys()].filter(
    (name) => /(^|\.)bias$/.test(name) && inside(name),
  );
  if (biases.length === 0)
    throw new InputError(
      'BitFit finds no biases to train: this model has none there; use lora or ln',
    );
  return {
    task_type: options.task_type ?? null,
    base_model_name_or_path: options.base_model_name_or_path ?? null,
    modules_to_save: [...new Set([...(options.modules_to_save ?? []), ...biases])],
  };
}

const NOTHING: ModelPart = {
  tensors: new Map(),
  attach: () => undefined,
  detach: () => undefined,
};

/** BitFit: `modules_to_save` names the biases one by one. */
export const BITFIT: ModelMethod = {
  kind: 'model',
  peftType: 'BITFIT',
  keys: PEFT_KEYS,
  parse: (source: Config): PeftConfig => readPeftFields(source),
  record: (config): JsonRecord => ({ ...config }),
  owns: () => false,
  fresh: () => ({ ...NOTHING }),
  restore: () => ({ ...NOTHING }),
};
