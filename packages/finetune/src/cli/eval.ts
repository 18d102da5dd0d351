/** @file `camada eval`. */
import { evaluate } from '../run/evaluate.ts';
import { command, type Command } from './command.ts';
import { MODEL_HELP, PRECISION_OPTIONS, openModel } from './load.ts';
import type { OptionTable } from './options.ts';
import { COLUMN_OPTIONS, given, metricsText, readOptions } from './shared.ts';

const OPTIONS = {
  model: { type: 'text', value: 'MODEL', help: MODEL_HELP, required: true },
  adapter: { type: 'text', value: 'DIR', help: 'Adapter folder to put on the model.' },
  data: {
    type: 'text',
    value: 'FILE',
    help: 'Labelled examples: .csv, .tsv, .jsonl, .json, .txt.',
    required: true,
  },
  ...PRECISION_OPTIONS,
  ...COLUMN_OPTIONS,
} as const satisfies OptionTable;

/** Measures a trained model. */
export const evalCommand: Command = command({
  name: 'eval',
  summary: 'Measure a fine-tuned model or adapter on labelled examples.',
  options: OPTIONS,
  examples: [
    'camada eval --model ./all-MiniLM-L6-v2 --adapter ./adapter --data test.tsv --text sentence --label label',
    'camada eval --model ./stories260K --data held-out.txt --json',
  ],
  async run(options, screen) {
    const loaded = await openModel(options, screen);
    const metrics = await evaluate(loaded, {
      ...readOptions(options),
      data: options.data,
      onProgress: (done, total) => screen.progress('Measuring', done, total),
      ...given({ maxLength: options['max-length'], batchSize: options['batch-size'] }),
    });
    screen.result(`${metricsText(metrics)} (n = ${metrics.n})`);
    return metrics;
  },
});
