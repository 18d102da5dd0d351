/** @file `camada select`. */
import { POOLINGS } from '@camada/cka';
import { select, type Selection } from '../run/select.ts';
import { predictionText } from '../select/told.ts';
import { command, type Command } from './command.ts';
import { MODEL_HELP, PRECISION_OPTIONS, openModel } from './load.ts';
import type { OptionTable } from './options.ts';
import { COLUMN_OPTIONS, given, readOptions } from './shared.ts';

const OPTIONS = {
  model: {
    type: 'text',
    value: 'MODEL',
    help: MODEL_HELP,
    required: true,
  },
  data: {
    type: 'text',
    value: 'FILE',
    help: "The task's texts: .csv, .tsv, .jsonl, .json, .txt.",
    required: true,
  },
  ...PRECISION_OPTIONS,
  ...COLUMN_OPTIONS,
  keep: {
    type: 'number',
    value: 'X',
    help: 'Share of the layers to choose, or their number from 2 up; 0.5.',
  },
  layers: {
    type: 'text',
    value: 'WHICH',
    help: 'By what and how many, as in finetune: fisher:0.5, last-token-cosine:threshold, cka:memory=0.8; cka:0.5.',
  },
  pooling: {
    type: 'text',
    value: 'NAME',
    help: `What of a text CKA compares: ${POOLINGS.join(', ')}; mean.`,
    choices: POOLINGS,
  },
  'final-norm': {
    type: 'flag',
    help: 'The last level after the final norm, as Transformers has it.',
  },
  minibatch: {
    type: 'flag',
    help: 'CKA averaged over batches: any number of examples, in bounded memory.',
  },
  r: { type: 'integer', value: 'N', help: "LoRA's rank, for what it will cost; 8." },
  'rank-by-importance': { type: 'flag', help: 'A rank for every layer by its score, of mean --r.' },
  samples: { type: 'integer', value: 'N', help: 'Examples to measure on; 256.' },
  paper: { type: 'flag', help: 'Measure as the published protocol does.' },
  seed: { type: 'integer', value: 'N', help: 'Seed of the sample; 0.' },
} as const satisfies OptionTable;

/** Ranks the layers of a model for a task. */
export const selectCommand: Command = command({
  name: 'select',
  summary: 'Rank the layers of a model for your texts, and tell what training the best will cost.',
  options: OPTIONS,
  examples: [
    'camada select --model ./all-MiniLM-L6-v2 --data train.tsv --text sentence --keep 0.5',
    'camada select --model ./all-MiniLM-L6-v2 --data train.tsv --text sentence --label label --layers fisher:time=0.7',
    'camada select --model ./stories260K --data shakespeare.txt --json',
  ],
  async run(options, screen) {
    const loaded = await openModel(options, screen);
    const selection = await select(loaded, {
      ...readOptions(options),
      data: options.data,
      paper: options.paper,
      byImportance: options['rank-by-importance'],
      ...(options['final-norm'] && { lastHidden: 'normalized' }),
      ...(options.minibatch && { streaming: 'minibatch' }),
      onProgress: (done, total) => screen.progress('Measuring layers', done, total),
      ...given({
        keep: options.keep,
        layers: options.layers,
        r: options.r,
        pooling: POOLINGS.find((name) => name === options.pooling),
        samples: options.samples,
        seed: options.seed,
        maxLength: options['max-length'],
        batchSize: options['batch-size'],
      }),
    });
    screen.result(table(selection));
    const { importance, ...found } = selection;
    const { layers, ...rest } = importance;
    return { layers, ...found, ...rest };
  },
});

const BAR = 40;

function table({ selector, importance, selected, ranks, prediction }: Selection): string {
  const { layers, examples, notes } = importance;
  const largest = Math.max(...layers.map((layer) => Math.abs(layer.importance)), 1e-30);
  const lines = layers.map(({ index, name, importance: value, low, high, excluded }) => {
    const mark = selected.includes(index) ? '●' : '○';
    const bar = '█'.repeat(Math.max(0, Math.round((BAR * value) / largest)));
    const range = excluded ?? `${digits(value)}  [${digits(low)}, ${digits(high)}]  ${bar}`;
    return `${mark} ${String(index).padStart(3)}  ${name.padEnd(24)} ${range}`;
  });
  const what = selector === 'cka' ? 'Importance 1 − CKA' : `Score by ${selector}`;
  const on = examples > 0 ? ` on ${examples} examples` : '';
  return [
    `${what}${on}${agreement(importance)}`,
    ...lines,
    `Chosen: ${selected.join(', ')}`,
    ...(ranks ? [`Ranks: ${selected.map((layer) => `${layer}: ${ranks[layer]}`).join(', ')}`] : []),
    ...notes,
    predictionText(prediction),
  ].join('\n');
}

function digits(value: number): string {
  return Math.abs(value) >= 1e-3 || value === 0 ? value.toFixed(4) : value.toExponential(2);
}

function agreement(importance: Selection['importance']): string {
  if (!('stability' in importance) || importance.stability === null) return '';
  return `; resampled rankings agree to ${importance.stability.toFixed(2)} (Spearman)`;
}
