/**
 * @file The tiny random models that are held against Transformers: every family and head is a row here and a folder
 * under `golden`, written by tools/oracle (models.py, encoders.py, decoders.py).
 */
import type { HeadTask, LastHidden, ModelOptions } from '@camada/nn';
import { emptyModel, loadWeights, type Batch, type HeadModel } from '@camada/nn';
import type { Tensor } from '@camada/tensor';
import { expect } from 'vitest';
import { goldenJson, goldenTensors, leaf, type GoldenTensors } from './support.ts';

/** One model of the table. */
export interface Family {
  readonly folder: string;
  readonly task: HeadTask;
  readonly options?: ModelOptions;
  /** Whether Transformers' last hidden state is that after the final norm; it is for all but ModernBERT. */
  readonly last?: LastHidden;
}

/** Add a row for a new family or head. */
export const FAMILIES: readonly Family[] = [
  { folder: 'bert-classifier', task: 'classification' },
  { folder: 'bert-regression', task: 'regression' },
  { folder: 'bert-multi-label', task: 'multi-label' },
  { folder: 'bert-tokens', task: 'token-classification' },
  { folder: 'bert-masked-lm', task: 'masked-lm' },
  { folder: 'distilbert-classifier', task: 'classification' },
  { folder: 'distilbert-tokens', task: 'token-classification' },
  { folder: 'distilbert-masked-lm', task: 'masked-lm' },
  { folder: 'roberta-classifier', task: 'classification' },
  { folder: 'roberta-tokens', task: 'token-classification' },
  { folder: 'roberta-masked-lm', task: 'masked-lm' },
  { folder: 'deberta-classifier', task: 'classification' },
  { folder: 'deberta-regression', task: 'regression', options: { numLabels: 2 } },
  { folder: 'deberta-plain-tokens', task: 'token-classification' },
  { folder: 'deberta-masked-lm', task: 'masked-lm' },
  { folder: 'modernbert-classifier', task: 'classification', last: 'raw' },
  { folder: 'modernbert-multi-label', task: 'multi-label', last: 'raw' },
  { folder: 'modernbert-tokens', task: 'token-classification', last: 'raw' },
  { folder: 'modernbert-masked-lm', task: 'masked-lm', last: 'raw' },
  { folder: 'llama-tied', task: 'causal-lm' },
  { folder: 'llama-untied', task: 'causal-lm' },
  { folder: 'llama3', task: 'causal-lm' },
  { folder: 'llama-linear', task: 'causal-lm' },
  { folder: 'llama-dynamic', task: 'causal-lm' },
  { folder: 'llama-yarn', task: 'causal-lm' },
  { folder: 'mistral', task: 'causal-lm' },
  { folder: 'qwen2', task: 'causal-lm' },
  { folder: 'qwen3', task: 'causal-lm' },
  { folder: 'phi3', task: 'causal-lm' },
  { folder: 'phi3-short', task: 'causal-lm' },
  { folder: 'phi3-long', task: 'causal-lm' },
  { folder: 'gemma', task: 'causal-lm' },
  { folder: 'gemma2', task: 'causal-lm' },
  { folder: 'gemma3', task: 'causal-lm' },
  { folder: 'gpt2', task: 'causal-lm' },
  { folder: 'llama-classifier', task: 'classification' },
  { folder: 'qwen3-regression', task: 'regression' },
  { folder: 'gemma3-classifier', task: 'classification' },
  { folder: 'gpt2-classifier', task: 'classification' },
];

/** The model of a row with its weights; every array of the file must have its place, and every parameter its array. */
export async function loadFamily({ folder, task, options }: Family): Promise<HeadModel> {
  const model = emptyModel(goldenJson(`${folder}/config.json`), task, options);
  const report = await loadWeights(model, goldenTensors(`${folder}/model.safetensors`));
  expect(report.initialized).toEqual([]);
  expect(report.unused).toEqual([]);
  return model;
}

/** What Transformers gave for a row. */
export function goldenOf({ folder }: Pick<Family, 'folder'>): GoldenTensors {
  return goldenTensors(`${folder}/golden.safetensors`);
}

/** The inputs that Transformers was given. */
export function batchOf(golden: GoldenTensors): Batch {
  const input = (name: string): Tensor => leaf(golden.read(`input.${name}`));
  const types = golden.names.includes('input.token_type_ids');
  return {
    inputIds: input('input_ids'),
    attentionMask: input('attention_mask'),
    labels: input('labels'),
    ...(types && { tokenTypeIds: input('token_type_ids') }),
  };
}
