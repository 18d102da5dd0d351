/** @file The options of `npm run pretrain`, from the command line to one checked record. */
import { parseArgs } from 'node:util';
import { InputError } from '@camada/tensor';

/** Everything a run depends on besides the corpus. */
export interface PretrainOptions {
  /** Wall-clock budget of training in minutes, earlier parts of a resumed run counted in. */
  readonly minutes: number;
  /** Folder of the finished model. */
  readonly output: string;
  /** Folder of checkpoints; a matching one in it is resumed. */
  readonly cache: string;
  /** Minutes between checkpoints. */
  readonly saveEvery: number;
  /** True: forget an earlier checkpoint. */
  readonly fresh: boolean;
  readonly vocabulary: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  /** Tokens in a sequence, and positions of the model. */
  readonly sequence: number;
  readonly batch: number;
  /** Share of tokens to guess. */
  readonly share: number;
  /** Peak learning rate. */
  readonly learningRate: number;
  readonly seed: number;
}

const defaults = {
  minutes: '40',
  output: 'examples/models/camada-mini',
  cache: '.cache/camada-mini',
  'save-every': '4',
  vocabulary: '8192',
  hidden: '128',
  layers: '6',
  heads: '4',
  sequence: '64',
  batch: '32',
  share: '0.15',
  'learning-rate': '1e-3',
  seed: '1',
} as const;

/** Reads `--name value` pairs. Throws InputError on an unknown name or a value that is no positive number. */
export function parseOptions(argv: readonly string[]): PretrainOptions {
  const given = read(argv);
  const number = (name: keyof typeof defaults): number => positive(name, given[name]);
  return {
    minutes: number('minutes'),
    output: given.output,
    cache: given.cache,
    saveEvery: number('save-every'),
    fresh: given.fresh,
    vocabulary: whole('vocabulary', number('vocabulary')),
    hidden: whole('hidden', number('hidden')),
    layers: whole('layers', number('layers')),
    heads: whole('heads', number('heads')),
    sequence: whole('sequence', number('sequence')),
    batch: whole('batch', number('batch')),
    share: number('share'),
    learningRate: number('learning-rate'),
    seed: whole('seed', number('seed')),
  };
}

type Given = Record<keyof typeof defaults, string> & { fresh: boolean };

function read(argv: readonly string[]): Given {
  const names = Object.keys(defaults).map((name) => [name, { type: 'string' }] as const);
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: { ...Object.fromEntries(names), fresh: { type: 'boolean' } },
    });
    return { ...defaults, fresh: false, ...values } as Given;
  } catch (error) {
    const known = [...Object.keys(defaults), 'fresh'].map((name) => `--${name}`).join(', ');
    throw new InputError(`${(error as Error).message}. Options: ${known}`);
  }
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InputError(`--${name} ${text}: give a number above 0`);
}

function whole(name: string, value: number): number {
  if (Number.isInteger(value)) return value;
  throw new InputError(`--${name} ${value}: give a whole number`);
}
