/** @file `camada select`. */
import { select, type Selection } from '../run/select.ts';
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
  samples: { type: 'integer', value: 'N', help: 'Examples to measure on; 256.' },
  paper: { type: 'flag', help: 'Measure as the published protocol does.' },
  seed: { type: 'integer', value: 'N', help: 'Seed of the sample; 0.' },
} as const satisfies OptionTable;

/** Ranks the layers of a model for a task. */
export const selectCommand: Command = command({
  name: 'select',
  summary: 'Measure with CKA which layers change the representation of your texts most.',
  options: OPTIONS,
  examples: [
    'camada select --model ./all-MiniLM-L6-v2 --data train.tsv --text sentence --keep 0.5',
    'camada select --model ./stories260K --data shakespeare.txt --json',
  ],
  async run(options, screen) {
    const loaded = await openModel(options, screen);
    const selection = await select(loaded, {
      ...readOptions(options),
      data: options.data,
      paper: options.paper,
      onProgress: (done, total) => screen.progress('Measuring layers', done, total),
      ...given({
        keep: options.keep,
        samples: options.samples,
        seed: options.seed,
        maxLength: options['max-length'],
        batchSize: options['batch-size'],
      }),
    });
    screen.result(table(selection));
    const { importance, selected } = selection;
    const { layers, ...rest } = importance;
    return { layers, selected, ...rest };
  },
});

const BAR = 40;

function table({ importance, selected }: Selection): string {
  const largest = Math.max(...importance.layers.map((layer) => layer.importance), 1e-9);
  const lines = importance.layers.map(({ index, name, importance: value, low, high, excluded }) => {
    const mark = selected.includes(index) ? '●' : '○';
    const bar = '█'.repeat(Math.round((BAR * value) / largest));
    const range =
      excluded ?? `${value.toFixed(4)}  [${low.toFixed(4)}, ${high.toFixed(4)}]  ${bar}`;
    return `${mark} ${String(index).padStart(3)}  ${name.padEnd(24)} ${range}`;
  });
  const { examples, stability, notes } = importance;
  const agreement =
    stability === null ? '' : `; resampled rankings agree to ${stability.toFixed(2)} (Spearman)`;
  return [
    `Importance 1 − CKA on ${examples} examples${agreement}`,
    ...lines,
    `Chosen: ${selected.join(', ')}`,
    ...notes,
  ].join('\n');
}
