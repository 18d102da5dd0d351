/** @file Measuring a trained model, with or without adapter, on a labelled file. */
import { cutLength } from '../data/encode.ts';
import { encodeFor } from '../data/load.ts';
import { readExamples, type DataSource, type ReadOptions } from '../data/source.ts';
import { evaluateRows, type EvaluationProgress } from '../eval/evaluate.ts';
import type { Metrics } from '../eval/metrics.ts';
import { readRecord } from '../model/adapter.ts';
import type { LoadedModel } from '../model/load.ts';
import { buildNetwork, trainedFor } from '../model/network.ts';

/** Choices of `evaluate`. */
export interface EvaluateOptions extends ReadOptions {
  readonly data: DataSource;
  /** Examples at a time; 32. */
  readonly batchSize?: number;
  /** Longest text in tokens; that of training where it is known. */
  readonly maxLength?: number;
  readonly onProgress?: EvaluationProgress;
}

/** Measures a model (with its adapter) on a file. Throws InputError when it has no trained head or data do not fit. */
export async function evaluate(loaded: LoadedModel, options: EvaluateOptions): Promise<Metrics> {
  const trained = trainedFor(loaded);
  const { task, labels } = trained;
  const examples = await readExamples(options.data, columnsFor(task, options));
  const known = loaded.adapter?.maxLength ?? (await readRecord(loaded.folder.folder))?.maxLength;
  const network = await buildNetwork(loaded, { ...trained, keepStorage: true });
  const { tokenizer } = loaded;
  const wanted = options.maxLength ?? known;
  const maxLength = cutLength(wanted, network.model.limits, tokenizer);
  const { rows } = encodeFor(examples, { task, labels, tokenizer, maxLength });
  const shape = { batchSize: options.batchSize ?? 32, maxLength };
  return evaluateRows(network, rows, shape, options.onProgress);
}

function columnsFor(task: string, { text, textPair, label, header }: ReadOptions): ReadOptions {
  return {
    ...(text !== undefined && { text }),
    ...(header !== undefined && { header }),
    ...(task !== 'causal-lm' && textPair !== undefined && { textPair }),
    ...(task !== 'causal-lm' && label !== undefined && { label }),
  };
}
