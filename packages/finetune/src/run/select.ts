/** @file Measuring the layers of a pretrained model on a task's texts, without training. */
import { selectLayers, type ImportanceReport } from '@camada/cka';
import { emptyModel, loadWeights } from '@camada/nn';
import { cutLength } from '../data/encode.ts';
import { encodeUnlabelled } from '../data/load.ts';
import { readExamples, type DataSource, type ReadOptions } from '../data/source.ts';
import type { LoadedModel } from '../model/load.ts';
import { measureLayers, type MeasureOptions } from '../select/measure.ts';

/** Choices of `select`. */
export interface SelectionOptions extends ReadOptions, MeasureOptions {
  readonly data: DataSource;
  /** A share of the layers in (0, 1], or a number of layers from 2 up; 0.5. */
  readonly keep?: number;
  /** Examples at a time; 32. */
  readonly batchSize?: number;
  /** Longest text in tokens; 128, or what the model takes. */
  readonly maxLength?: number;
}

/** The measurement and the layers it chooses. */
export interface Selection {
  readonly importance: ImportanceReport;
  /** Numbers of the chosen layers, ascending. */
  readonly selected: readonly number[];
}

/** Ranks the layers of a model for the texts of a file. Throws InputError when there are too few texts. */
export async function select(loaded: LoadedModel, options: SelectionOptions): Promise<Selection> {
  const examples = await readExamples(options.data, options);
  const running = loaded.tasks.includes('causal-lm') && options.label === undefined;
  const task = running ? 'causal-lm' : 'classification';
  const model = emptyModel(loaded.folder.config.values, 'features');
  await loadWeights(model, loaded.folder.tensors);
  const maxLength = cutLength(options.maxLength, model.limits, loaded.tokenizer);
  const { rows } = encodeUnlabelled(examples, task, loaded.tokenizer, maxLength);
  const shape = { batchSize: options.batchSize ?? 32, maxLength };
  const importance = await measureLayers(model, rows, shape, options);
  const keep = options.keep === undefined ? {} : { keep: options.keep };
  return { importance, selected: selectLayers(importance, keep) };
}
