/** @file Ranking the layers of a pretrained model on a task's examples, without training. */
import {
  allotRanks,
  type ImportanceReport,
  type LayerScores,
  type SelectorName,
} from '@camada/cka';
import { InputError, device } from '@camada/tensor';
import { toBatch, typicalRows, type BatchShape } from '../data/batches.ts';
import { cutLength, type Row } from '../data/encode.ts';
import { encodeFor, encodeUnlabelled } from '../data/load.ts';
import { readExamples, type DataSource, type Examples, type ReadOptions } from '../data/source.ts';
import { labelsOf, taskOfLabels } from '../data/targets.ts';
import { LabelMap } from '../model/labels.ts';
import type { LoadedModel } from '../model/load.ts';
import { buildNetwork, type Network } from '../model/network.ts';
import type { FinetuneTask } from '../model/task.ts';
import { checkChoice, layerChoice, needsOf, type LayersOption } from '../select/choice.ts';
import { scoreLayers, withHeadNote, type MeasureOptions } from '../select/measure.ts';
import { CostModel, type Prediction } from '../select/predict.ts';
import { resolveLayers } from '../select/resolve.ts';

/** Choices of `select`. */
export interface SelectionOptions extends ReadOptions, MeasureOptions {
  readonly data: DataSource;
  /** By what and how many; CKA when left out. */
  readonly layers?: LayersOption;
  /** Of CKA, instead of `layers`: a share of the layers in (0, 1], or a number of layers from 2 up; 0.5. */
  readonly keep?: number;
  /** LoRA's rank: 8; with `byImportance` the mean of ranks that follow the scores. */
  readonly r?: number;
  /** Gives every chosen layer a rank by its score, at the same number of parameters. */
  readonly byImportance?: boolean;
  /** Examples at a time; 32. */
  readonly batchSize?: number;
  /** Longest text in tokens; 128, or what the model takes. */
  readonly maxLength?: number;
}

/** The measurement and the layers it chooses. */
export interface Selection {
  readonly selector: SelectorName;
  /** Scores; of CKA with all that it measured. */
  readonly importance: ImportanceReport | LayerScores;
  /** Numbers of the chosen layers, ascending. */
  readonly selected: readonly number[];
  /** LoRA's rank by layer; undefined unless asked for. */
  readonly ranks: Readonly<Record<string, number>> | undefined;
  /** What LoRA in these layers will cost, beside all layers. */
  readonly prediction: Prediction;
}

/**
 * Ranks the layers of a model for the examples of a file. Throws InputError when there are too few, or the selector needs
 * labels and no column is named.
 */
export async function select(loaded: LoadedModel, options: SelectionOptions): Promise<Selection> {
  const choice = layerChoice(options.layers ?? { select: 'cka', ...keepOf(options) });
  if (choice.select === 'list')
    throw new InputError('select ranks layers; give a selector, such as cka:0.5, not numbers.');
  const examples = await readExamples(options.data, options);
  const network = await networkFor(loaded, examples, options);
  checkChoice(choice, network.model.layers.length);
  if (needsOf(choice) === 'labels' && network.task !== 'causal-lm' && options.label === undefined)
    throw new InputError(`${choice.select} needs labels: name their column (--label).`);
  const maxLength = cutLength(options.maxLength, network.model.limits, loaded.tokenizer);
  const rows = rowsOf(loaded, network, examples, maxLength);
  const shape = { batchSize: options.batchSize ?? 32, maxLength };
  const seed = choice.seed ?? options.seed ?? 0;
  const { model } = network;
  const scores = await scoreLayers(choice.select, model, rows, shape, { ...options, seed });
  const importance = withHeadNote(scores, network, needsOf(choice));
  const costs = await costsOf(loaded, network, rows, shape, options.r ?? 8);
  const selected = await resolveLayers(choice, importance, () => Promise.resolve(costs));
  const ranks = options.byImportance
    ? Object.fromEntries(allotRanks(importance, selected, options.r ?? 8))
    : undefined;
  const all = model.layers.map(({ index }) => index);
  const prediction = { chosen: await costs.of(selected), all: await costs.of(all) };
  return { selector: choice.select, importance, selected, ranks, prediction };
}

function keepOf({ keep }: SelectionOptions): { keep?: number } {
  return keep === undefined ? {} : { keep };
}

/** With a head for the labels; without labels one of two classes, which only the costs see. */
async function networkFor(
  loaded: LoadedModel,
  examples: Examples,
  { label }: SelectionOptions,
): Promise<Network> {
  if (label === undefined && loaded.tasks.includes('causal-lm'))
    return buildNetwork(loaded, { task: 'causal-lm' });
  const task: FinetuneTask = label === undefined ? 'classification' : taskOfLabels(examples);
  if (task !== 'classification') return buildNetwork(loaded, { task });
  const labels =
    label === undefined
      ? new LabelMap(['0', '1'], loaded.name)
      : labelsOf(examples, loaded.labelNames);
  return buildNetwork(loaded, { task, labels });
}

function rowsOf(
  { tokenizer }: LoadedModel,
  { task, labels }: Network,
  examples: Examples,
  maxLength: number,
): readonly Row[] {
  const labelled = examples.rows[0]?.label !== undefined;
  return labelled || task === 'causal-lm'
    ? encodeFor(examples, { task, labels, tokenizer, maxLength }).rows
    : encodeUnlabelled(examples, task, tokenizer, maxLength).rows;
}

async function costsOf(
  loaded: LoadedModel,
  network: Network,
  rows: readonly Row[],
  shape: BatchShape,
  r: number,
): Promise<CostModel> {
  const group = typicalRows(rows, shape.batchSize);
  const targets = group.rows.map((row) => ({ ...row, target: row.target ?? 0 }));
  const batch = toBatch({ ...group, rows: targets }, network.model.limits, shape);
  const method = { type: 'lora', r } as const;
  const model = new CostModel({ loaded, network, method, batch, device: await device() });
  await model.calibrate();
  return model;
}
