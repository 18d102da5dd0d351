/** @file By what an interrupted run is known again: all that its numbers follow from. */
import { packedLayers } from '@camada/nn';
import type { RunIdentity } from './work.ts';
import type { RunSummary } from './events.ts';
import type { Settings } from './options.ts';
import type { Prepared } from './prepare.ts';
import type { Row } from '../data/encode.ts';

/** Settings, layers and a digest of the training data. */
export function identityOf(
  summary: RunSummary,
  { rows, network }: Pick<Prepared, 'rows' | 'network'>,
  settings: Settings,
): RunIdentity {
  const { model, task, layers, trainableParameters, learningRate, maxLength } = summary;
  const { method, epochs, maxSteps, batchSize, warmupRatio, weightDecay, maxGradNorm } = settings;
  return {
    model,
    task,
    layers: layers.join(','),
    'trainable parameters': trainableParameters,
    method: JSON.stringify(method),
    epochs,
    'max-steps': maxSteps ?? 'none',
    'batch-size': batchSize,
    'learning-rate': learningRate,
    'max-length': maxLength,
    'warmup-ratio': warmupRatio,
    'weight-decay': weightDecay,
    'max-grad-norm': maxGradNorm,
    scheduler: settings.scheduler,
    optimizer: settings.optimizer,
    'packed weights': packedFormats(network),
    seed: settings.seed,
    'gradient checkpointing': String(settings.checkpointing),
    'dropout of frozen layers': String(settings.frozenDropout),
    'training data': digestOf(rows.train.rows),
  };
}

/** The formats of packed layers, in the order in which they occur. */
function packedFormats({ model }: Prepared['network']): string {
  const formats = [...packedLayers(model).values()].map(({ packed }) => packed.parts.format);
  return [...new Set(formats)].join(', ') || 'none';
}

/** A digest of rows: FNV-1a over all ids and targets (draft-eastlake-fnv-17). */
export function digestOf(rows: readonly Row[]): string {
  let hash = 0x811c9dc5;
  const add = (value: number): void => {
    hash = Math.imul(hash ^ value, 0x01000193) >>> 0;
  };
  for (const { ids, target } of rows) {
    ids.forEach(add);
    if (typeof target === 'number') add(Math.fround(target) * 4096);
  }
  return `${rows.length} rows, ${hash.toString(16)}`;
}
