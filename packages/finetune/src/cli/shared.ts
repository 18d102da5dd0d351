/** @file Options and words that several commands share. */
import { InputError } from '@camada/tensor';
import { WEIGHT_FORMATS, type SaveOptions } from '@camada/hub';
import type { ReadOptions } from '../data/source.ts';
import type { Metrics } from '../eval/metrics.ts';
import type { Values } from './options.ts';

/** Options of commands that read a table. */
export const COLUMN_OPTIONS = {
  text: {
    type: 'text',
    value: 'COL',
    help: 'Column of the text, by name or by number from 0; "text" when left out.',
  },
  'text-pair': { type: 'text', value: 'COL', help: 'Column of the second text of a pair.' },
  label: { type: 'text', value: 'COL', help: 'Column of the label, by name or by number from 0.' },
  'no-header': {
    type: 'flag',
    help: 'The first row of the CSV or TSV is data; columns are numbers.',
  },
  'max-length': {
    type: 'integer',
    value: 'N',
    help: 'Longest text in tokens; longer ones are cut. 128, or what the model takes.',
  },
  'batch-size': {
    type: 'integer',
    value: 'N',
    help: 'Examples at a time; 16 in training, else 32.',
  },
} as const;

/** Options of commands that write a model. */
export const SAVE_OPTIONS = {
  format: {
    type: 'text',
    value: 'NAME',
    help: 'How weights are stored: safetensors, or one GGUF file; f32.',
    choices: WEIGHT_FORMATS as typeof WEIGHT_FORMATS,
  },
  'shard-size': { type: 'number', value: 'GB', help: 'Largest safetensors file; 5.' },
} as const;

/** The format as the packages take it. Throws InputError on a size that is none. */
export function saveOptions(options: Values<typeof SAVE_OPTIONS>): SaveOptions {
  const size = options['shard-size'];
  if (size !== undefined && size <= 0)
    throw new InputError(`--shard-size is ${size}; a number of gigabytes above 0 is needed.`);
  const format = WEIGHT_FORMATS.find((known) => known === options.format);
  return { ...(format && { format }), ...(size !== undefined && { maxShardBytes: size * 1e9 }) };
}

/** The columns as the packages take them. */
export function readOptions(options: Values<typeof COLUMN_OPTIONS>): ReadOptions {
  const { text, 'text-pair': textPair, label } = options;
  return {
    header: !options['no-header'],
    ...(text !== undefined && { text }),
    ...(textPair !== undefined && { textPair }),
    ...(label !== undefined && { label }),
  };
}

/** The record without its undefined fields, as optional fields want it. */
export function given<T extends Readonly<Record<string, unknown>>>(
  record: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const pairs = Object.entries(record).filter(([, value]) => value !== undefined);
  // Only fields with undefined were taken out, which is what the type says.
  return Object.fromEntries(pairs) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/** `loss 0.412, accuracy 0.871`. */
export function metricsText(metrics: Metrics): string {
  const names = ['loss', 'accuracy', 'macroF1', 'pearson', 'spearman', 'perplexity'] as const;
  return names
    .filter((name) => metrics[name] !== undefined)
    .map((name) => `${name} ${numberText(metrics[name])}`)
    .join(', ');
}

function numberText(value: number | null | undefined): string {
  return typeof value === 'number' ? value.toFixed(4) : 'undefined (one side is constant)';
}
