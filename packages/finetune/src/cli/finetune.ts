/** @file `camada finetune`. */
import { InputError } from '@camada/tensor';
import { SCHEDULES, type ScheduleName } from '@camada/nn';
import { TASKS, type FinetuneTask } from '../model/task.ts';
import { finetune, type Run } from '../run/finetune.ts';
import type { RunEvent, RunSummary } from '../run/events.ts';
import type { FinetuneOptions } from '../run/options.ts';
import { checkOutput } from '../save/folder.ts';
import { predictionText, truthText } from '../select/told.ts';
import { OPTIMIZERS } from '../train/optimizer.ts';
import { METHODS, type Method } from '../train/method.ts';
import { command, type Command } from './command.ts';
import { MODEL_HELP, PRECISION_OPTIONS, openModel } from './load.ts';
import type { OptionTable, Values } from './options.ts';
import type { Screen } from './screen.ts';
import { COLUMN_OPTIONS, given, metricsText, readOptions } from './shared.ts';

const OPTIONS = {
  model: {
    type: 'text',
    value: 'MODEL',
    help: MODEL_HELP,
    required: true,
  },
  train: {
    type: 'text',
    value: 'FILE',
    help: 'Examples to learn from: .csv, .tsv, .jsonl, .json, .txt.',
    required: true,
  },
  test: {
    type: 'text',
    value: 'FILE',
    help: 'Held-out examples; a tenth of --train when left out.',
  },
  output: {
    type: 'text',
    value: 'DIR',
    help: 'Folder for the adapter (or model), metrics.jsonl and report.html.',
    required: true,
  },
  ...PRECISION_OPTIONS,
  ...COLUMN_OPTIONS,
  task: {
    type: 'text',
    value: 'TASK',
    help: 'What is learnt; from model and labels when left out.',
    choices: TASKS,
  },
  method: {
    type: 'text',
    value: 'NAME',
    help: 'What trains: an adapter, the head only, or whole weights; lora.',
    choices: METHODS,
  },
  layers: {
    type: 'text',
    value: 'WHICH',
    help: 'all, cka:0.5, last:3, random:3:SEED, 0,2,5, another selector, a threshold or a budget (camada select --help); all.',
  },
  r: { type: 'integer', value: 'N', help: 'Rank of LoRA; 8.' },
  alpha: { type: 'number', value: 'X', help: 'The update counts alpha / r times; 16.' },
  'lora-dropout': { type: 'number', value: 'P', help: 'Dropout in front of the adapters; 0.' },
  rslora: { type: 'flag', help: 'Count the update alpha / sqrt(r) times.' },
  targets: {
    type: 'text',
    value: 'NAMES',
    help: "Modules to adapt: names with commas, or one regular expression; PEFT's.",
  },
  tokens: { type: 'integer', value: 'N', help: 'Virtual tokens of prompts and prefixes; 20.' },
  projection: { type: 'flag', help: 'Train prefixes through a network.' },
  reduction: { type: 'number', value: 'X', help: 'Width of the model over a bottleneck; 16.' },
  epochs: { type: 'number', value: 'N', help: 'Passes over the data; 3.' },
  'max-steps': { type: 'integer', value: 'N', help: 'Stop after so many steps.' },
  'learning-rate': {
    type: 'number',
    value: 'X',
    help: "The method's: 0.8 / width for lora (2e-3 for MiniLM), 3e-3 for head, 5e-5 for full.",
  },
  scheduler: {
    type: 'text',
    value: 'NAME',
    help: 'Course of the learning rate; linear.',
    choices: SCHEDULES,
  },
  'warmup-ratio': {
    type: 'number',
    value: 'P',
    help: 'Share of the steps in which the learning rate rises; 0.06.',
  },
  optimizer: {
    type: 'text',
    value: 'NAME',
    help: 'adamw, or adamw-8bit with a quarter of its memory; adamw.',
    choices: OPTIMIZERS,
  },
  'weight-decay': { type: 'number', value: 'X', help: 'Decoupled weight decay; 0.01.' },
  'max-grad-norm': { type: 'number', value: 'X', help: 'Limit of the gradients, 0 for none; 1.' },
  seed: { type: 'integer', value: 'N', help: 'Seed of everything that is drawn; 0.' },
  samples: {
    type: 'integer',
    value: 'N',
    help: 'Examples to measure layers on, 0 for no measurement; 256.',
  },
  paper: { type: 'flag', help: 'Measure layers as the published protocol does.' },
  'rank-by-importance': {
    type: 'flag',
    help: 'A rank for each chosen layer by its score, of mean --r.',
  },
  checkpointing: {
    type: 'flag',
    help: 'Less memory: compute the inside of layers again for their gradients.',
  },
  'no-frozen-dropout': {
    type: 'flag',
    help: 'No dropout below the lowest layer that trains, which is then computed once a text.',
  },
  'no-prefix-cache': {
    type: 'flag',
    help: 'Compute the layers below the lowest one that trains in every epoch.',
  },
  resume: { type: 'flag', help: 'Go on with an interrupted run of the same --output.' },
  'save-steps': { type: 'integer', value: 'N', help: 'Steps from checkpoint to checkpoint; 500.' },
} as const satisfies OptionTable;

type Options = Values<typeof OPTIONS>;

/** Fine-tunes a model and saves what came out. */
export const finetuneCommand: Command = command({
  name: 'finetune',
  summary: 'Train a model on labelled examples, in the layers you or CKA choose.',
  options: OPTIONS,
  examples: [
    'camada finetune --model ./all-MiniLM-L6-v2 --train train.tsv --test test.tsv --text sentence --label label --layers cka:0.5 --output ./adapter',
    'camada finetune --model ./all-MiniLM-L6-v2 --train train.tsv --test test.tsv --no-header --text 0 --label 1 --method head --output ./model',
    'camada finetune --model ./stories260K --train shakespeare.txt --task causal-lm --layers cka:0.5 --epochs 1 --output ./adapter',
  ],
  async run(options, screen) {
    await checkOutput(options.output);
    const loaded = await openModel(options, screen);
    const run = await finetune(loaded, finetuneOptions(options, screen));
    await run.save(options.output);
    screen.result(closing(run, options.output));
    const { before, after, trainableParameters, totalParameters, layers, seconds, peakBytes } = run;
    return { before, after, trainableParameters, totalParameters, layers, seconds, peakBytes };
  },
});

function finetuneOptions(options: Options, screen: Screen): FinetuneOptions {
  return {
    data: {
      ...readOptions(options),
      train: options.train,
      ...(options.test !== undefined && { test: options.test }),
    },
    method: methodOf(options),
    paper: options.paper,
    rankByImportance: options['rank-by-importance'],
    checkpointing: options.checkpointing,
    frozenDropout: !options['no-frozen-dropout'],
    ...(options['no-prefix-cache'] && { prefixCache: false }),
    work: `${options.output.replace(/[/\\]+$/, '')}.run`,
    resume: options.resume,
    onEvent: (event) => show(event, screen),
    ...given({
      task: options.task as FinetuneTask | undefined, // one of TASKS, by `choices`
      scheduler: options.scheduler as ScheduleName | undefined, // one of SCHEDULES, by `choices`
      optimizer: OPTIMIZERS.find((name) => name === options.optimizer),
      layers: options.layers,
      epochs: options.epochs,
      maxSteps: options['max-steps'],
      batchSize: options['batch-size'],
      learningRate: options['learning-rate'],
      maxLength: options['max-length'],
      warmupRatio: options['warmup-ratio'],
      weightDecay: options['weight-decay'],
      maxGradNorm: options['max-grad-norm'],
      seed: options.seed,
      samples: options.samples,
      saveSteps: options['save-steps'],
    }),
  };
}

function methodOf(options: Options): Method {
  const type = METHODS.find((name) => name === options.method) ?? 'lora';
  const settings = given({
    r: options.r,
    alpha: options.alpha,
    dropout: options['lora-dropout'],
    targets: options.targets === undefined ? undefined : targetsOf(options.targets),
    tokens: options.tokens,
    reduction: options.reduction,
    projection: options.projection || undefined,
  });
  if (type !== 'head' && type !== 'full' && type !== 'features' && type !== 'lisa')
    return { type, ...settings, rslora: options.rslora };
  if (Object.keys(settings).length === 0 && !options.rslora) return { type };
  throw new InputError(
    `--r, --alpha, --lora-dropout, --rslora, --targets, --tokens, --reduction and --projection go with adapters ` +
      `only, not with --method ${type}.`,
  );
}

/** Names with commas; anything with the signs of a regular expression is one, and so is all-linear. */
function targetsOf(text: string): readonly string[] | string {
  if (/[\\^$*+?()[\]{}|]/.test(text) || text === 'all-linear') return text;
  return text.split(',').map((name) => name.trim());
}

const PHASES = {
  measure: 'Measuring layers',
  before: 'Measuring before',
  prefix: 'Computing frozen layers',
  train: 'Training',
  after: 'Measuring after',
} as const;

function show(event: RunEvent, screen: Screen): void {
  if (event.type === 'note') screen.say(event.text);
  if (event.type === 'progress') screen.progress(PHASES[event.phase], event.done, event.total);
  if (event.type === 'importance') event.report.notes.forEach((note) => screen.say(note));
  if (event.type === 'ranking') event.scores.notes.forEach((note) => screen.say(note));
  if (event.type === 'prediction') screen.say(predictionText(event.prediction));
  if (event.type === 'cost') screen.say(truthText(event.prediction, event.truth));
  if (event.type === 'start') screen.say(banner(event.summary));
  // The results after training close the output of a run that is not for a program.
  if (event.type === 'metrics' && (event.phase === 'before' || screen.json))
    screen.say(`${event.phase === 'before' ? 'Before' : 'After'}: ${metricsText(event.metrics)}`);
  if (event.type === 'step') {
    const { step, steps, loss } = event.report;
    screen.progress(PHASES.train, step, steps, `loss ${loss.toFixed(4)}`);
  }
}

function banner(summary: RunSummary): string {
  const { trainableParameters: trainable, totalParameters: total, layers, examples } = summary;
  const count = (n: number): string => n.toLocaleString('en');
  const share = ((100 * trainable) / total).toFixed(2);
  return [
    `${summary.model} (${summary.modelType}), ${summary.task}, method ${summary.method}, on ${summary.device}`,
    `${count(trainable)} of ${count(total)} parameters train (${share} %)`,
    `Layers: ${layers.length > 0 ? layers.join(', ') : 'none, the head only'} (of ${summary.layerCount})`,
    `${count(examples.train)} examples to learn from, ${count(examples.test)} held out`,
  ].join('\n');
}

function closing({ before, after, seconds, peakBytes }: Run, output: string): string {
  return [
    `before: ${metricsText(before)}`,
    `after:  ${metricsText(after)}`,
    `${seconds.toFixed(1)} s, peak ${(peakBytes / 2 ** 20).toFixed(0)} MiB; saved in ${output} (see report.html)`,
  ].join('\n');
}
