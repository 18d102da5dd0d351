/** @file Writes the finished model as a Hugging Face folder: f16 weights, configuration, tokenizer and model card. */
import { join } from 'node:path';
import { convertFloats, encodeSafetensors, jsonBytes, writeFiles } from '@camada/hub';
import { weightsOf } from './checkpoint.ts';
import { modelCard } from './card.ts';
import type { PretrainOptions } from './options.ts';
import type { PretrainOutcome } from './run.ts';
import { configJson } from './start.ts';
import type { PretrainingText } from './text.ts';
import type { Trainer } from './trainer.ts';
import { tokenizerConfig, tokenizerJson } from './wordpiece.ts';

/** Writes the five files of the model to `options.output`, all or none. */
export async function publish(
  trainer: Trainer,
  text: PretrainingText,
  outcome: PretrainOutcome,
  options: PretrainOptions,
): Promise<void> {
  const weights = await weightsOf(trainer.parameters);
  const half = weights.map(([name, data]) => [name, convertFloats(data, 'f16')] as const);
  const parameters = weights.reduce((sum, [, { data }]) => sum + data.length, 0);
  const card = modelCard({ text, outcome, options, parameters });
  const file = (name: string, chunks: readonly Uint8Array[]) => ({
    path: join(options.output, name),
    chunks,
  });
  await writeFiles([
    file('model.safetensors', encodeSafetensors(half)),
    file('config.json', [jsonBytes({ ...configJson(options), dtype: 'float16' })]),
    file('tokenizer.json', [jsonBytes(tokenizerJson(text.pieces))]),
    file('tokenizer_config.json', [jsonBytes(tokenizerConfig(options.sequence))]),
    file('README.md', [new TextEncoder().encode(card)]),
  ]);
}
