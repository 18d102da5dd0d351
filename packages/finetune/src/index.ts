/** @file The public surface of @camada/finetune. */
export {
  loadModel,
  type LoadModelOptions,
  type LoadedModel,
  type WeightPrecision,
} from './model/load.ts';
export type { CamadaRecord, StoredAdapter } from './model/adapter.ts';
export type { LabelMap } from './model/labels.ts';
export type { Network } from './model/network.ts';
export type { FinetuneTask } from './model/task.ts';
export type { Columns, DataSource, ReadOptions } from './data/source.ts';
export type { BudgetChoice, LayerChoice, LayerRule, LayersOption } from './select/choice.ts';
export type { Prediction, TrainingCost } from './select/predict.ts';
export type { MeasureOptions } from './select/measure.ts';
export type { Method } from './train/method.ts';
export type { AdapterSettings } from './train/adapter-method.ts';
export type { StepReport } from './train/loop.ts';
export type { Metrics } from './eval/metrics.ts';
export type { Phase, RunEvent, RunSummary } from './run/events.ts';
export type { FinetuneData, FinetuneOptions } from './run/options.ts';
export { finetune, type Run, type RunResult } from './run/finetune.ts';
export { evaluate, type EvaluateOptions } from './run/evaluate.ts';
export { select, type Selection, type SelectionOptions } from './run/select.ts';
export {
  generateText,
  generateTexts,
  streamText,
  type ChatSetting,
  type ContinueOptions,
  type GeneratedText,
  type TextOptions,
  type TextsOptions,
} from './run/generate.ts';
export { embed, type EmbedOptions } from './run/embed.ts';
export { merge } from './run/merge.ts';
export {
  inspect,
  type ComparedLayer,
  type ComparedLayers,
  type InspectedLayer,
  type InspectOptions,
  type Inspection,
} from './run/inspect.ts';
export { compare, type CompareOptions } from './compare/compare.ts';
export { compareInto, readRecipe, type RecipeFile } from './compare/folder.ts';
export type { EqualBudget, Recipe, TrainingSettings } from './compare/recipe.ts';
export type { ComparisonRow, ComparisonSummary, Score, Verdict } from './compare/summary.ts';
export { checkOutput, saveFiles, type Files } from './save/folder.ts';
