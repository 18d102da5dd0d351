/** @file What a run tells while it goes on. */
import type { ImportanceReport, LayerScores, SelectorName } from '@camada/cka';
import type { LoraConfig } from '@camada/lora';
import type { FinetuneTask } from '../model/task.ts';
import type { Metrics } from '../eval/metrics.ts';
import type { Prediction } from '../select/predict.ts';
import type { Truth } from '../select/told.ts';
import type { StepReport } from '../train/loop.ts';
import type { Method } from '../train/method.ts';

/** Facts known when training begins. */
export interface RunSummary {
  /** Folder of the model. */
  readonly model: string;
  /** `model_type` of the architecture. */
  readonly modelType: string;
  readonly task: FinetuneTask;
  readonly method: Method['type'];
  /** The adapter's configuration where it is LoRA's; undefined for other methods. */
  readonly lora: LoraConfig | undefined;
  /** Class names; undefined where there are none. */
  readonly labels: readonly string[] | undefined;
  /** Numbers of the layers that train. */
  readonly layers: readonly number[];
  /** How many layers the model has. */
  readonly layerCount: number;
  readonly trainableParameters: number;
  readonly totalParameters: number;
  /** Rows to learn from and to measure on. */
  readonly examples: { readonly train: number; readonly test: number };
  readonly learningRate: number;
  readonly batchSize: number;
  readonly epochs: number;
  readonly maxLength: number;
  readonly seed: number;
  /** Back end and adapter. */
  readonly device: string;
}

/** Parts of a run that take time and have a length. */
export type Phase = 'measure' | 'before' | 'prefix' | 'train' | 'after';

/** Something that happened. */
export type RunEvent =
  /** A sentence for the user. */
  | { readonly type: 'note'; readonly text: string }
  | {
      readonly type: 'progress';
      readonly phase: Phase;
      readonly done: number;
      readonly total: number;
    }
  /** Layers were measured. */
  | { readonly type: 'importance'; readonly report: ImportanceReport }
  /** Layers were scored by another selector. */
  | { readonly type: 'ranking'; readonly selector: SelectorName; readonly scores: LayerScores }
  /** What training the chosen layers will cost, beside all of them. */
  | { readonly type: 'prediction'; readonly prediction: Prediction }
  | { readonly type: 'start'; readonly summary: RunSummary }
  /** What training took, beside what was expected. */
  | { readonly type: 'cost'; readonly prediction: Prediction; readonly truth: Truth }
  | { readonly type: 'metrics'; readonly phase: 'before' | 'after'; readonly metrics: Metrics }
  | { readonly type: 'step'; readonly report: StepReport };
