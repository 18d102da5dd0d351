/** @file The demo's three runs on the same data with the same seed: LoRA where CKA says, the head alone, LoRA everywhere. */
import { join } from 'node:path';
import { finetune, type LoadedModel, type Method, type Run, type RunEvent } from '@camada/finetune';
import { bar } from './table.ts';

/** The measurement that an event carries. */
type ImportanceReport = Extract<RunEvent, { type: 'importance' }>['report'];

/** One way to fine-tune, and what came of it. */
export interface Trial {
  readonly title: string;
  readonly run: Run;
}

/** A way to fine-tune. */
interface Plan {
  readonly title: string;
  /** Folder of its output. */
  readonly folder: string;
  readonly layers: string;
  readonly method: Method;
  readonly learningRate: number;
}

/** All projections of a block: with a model this small, queries and values alone learn too little. */
const lora: Method = {
  type: 'lora',
  r: 8,
  alpha: 16,
  targets: ['query', 'key', 'value', 'intermediate.dense', 'output.dense'],
};

const plans: readonly Plan[] = [
  {
    title: 'LoRA, half the layers, by CKA',
    folder: 'lora-cka',
    layers: 'cka:0.5',
    method: lora,
    learningRate: 2e-3,
  },
  {
    title: 'frozen model, trained head',
    folder: 'head',
    layers: 'all',
    method: { type: 'head' },
    learningRate: 3e-3,
  },
  {
    title: 'LoRA, all layers',
    folder: 'lora-all',
    layers: 'all',
    method: lora,
    learningRate: 2e-3,
  },
];

/** Runs the three plans one after the other, prints what happens, and saves each under `output`. */
export async function fineTuneThreeWays(
  model: LoadedModel,
  data: { readonly train: string; readonly test: string },
  output: string,
): Promise<Trial[]> {
  const trials: Trial[] = [];
  for (const plan of plans) {
    say(plan.title);
    const run = await finetune(model, {
      data: { ...data, text: 'text', label: 'label' },
      layers: plan.layers,
      method: plan.method,
      learningRate: plan.learningRate,
      epochs: 4,
      batchSize: 32,
      maxLength: 32,
      seed: 1,
      samples: plan.layers.startsWith('cka') ? 512 : 0,
      onEvent: narrator(),
    });
    await run.save(join(output, plan.folder));
    trials.push({ title: plan.title, run });
  }
  return trials.toSorted((a, b) => (a.run.after.accuracy ?? 0) - (b.run.after.accuracy ?? 0));
}

/** Prints the ranking of the layers, and a line with the mean loss for every quarter of the training. */
function narrator(): (event: RunEvent) => void {
  let losses: number[] = [];
  return (event) => {
    if (event.type === 'importance') showRanking(event.report);
    if (event.type === 'start')
      say(`  layers that train: ${event.summary.layers.join(' ') || 'none'}`);
    if (event.type === 'metrics')
      say(
        `  held-out accuracy ${event.phase}: ${(100 * (event.metrics.accuracy ?? NaN)).toFixed(1)} %`,
      );
    if (event.type !== 'step') return;
    const { step, steps, loss } = event.report;
    losses.push(loss);
    if (step % Math.ceil(steps / 4) !== 0 && step !== steps) return;
    const mean = losses.reduce((sum, value) => sum + value, 0) / losses.length;
    say(`  step ${step} of ${steps}, loss ${mean.toFixed(3)}`);
    losses = [];
  };
}

function showRanking({ layers, examples }: ImportanceReport): void {
  const most = Math.max(...layers.map((layer) => layer.importance));
  say(`  importance of the layers, 1 - CKA of what goes in and what comes out, ${examples} texts:`);
  for (const { index, importance } of layers)
    say(`    layer ${index}  ${importance.toFixed(3)}  ${bar(importance / most)}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
