/**
 * @file The rotary embedding of a `config.json`: `rope_theta` and `rope_scaling`, or all of it in `rope_parameters`
 * as Transformers 5 writes it (for Gemma 3 once for each type of block).
 */
import { InputError } from '@camada/tensor';
import type {
  LongRopeScaling,
  RopeParameters,
  RopeScaling,
  YarnScaling,
} from '../../layers/rope-scaling.ts';
import { ConfigReader } from '../config.ts';
import type { LayerType } from './config.ts';

/** What the rest of a configuration says. */
export interface RopeDefaults {
  /** Head width, D. */
  readonly width: number;
  /** `max_position_embeddings`. */
  readonly positions: number;
  /** Base where the file has none; 10000 when left out. */
  readonly theta?: number;
}

type Reader = (read: ConfigReader, whole: ConfigReader, defaults: RopeDefaults) => RopeScaling;

const READERS: Readonly<Record<string, Reader>> = {
  default: () => ({ rope_type: 'default' }),
  linear: (read) => ({ rope_type: 'linear', factor: read.positive('factor') }),
  dynamic: (read, _, { positions }) => ({
    rope_type: 'dynamic',
    factor: read.positive('factor'),
    max_position_embeddings: positions,
  }),
  llama3: (read, _, { positions }) => ({
    rope_type: 'llama3',
    factor: read.positive('factor'),
    low_freq_factor: read.positive('low_freq_factor'),
    high_freq_factor: read.positive('high_freq_factor'),
    original_max_position_embeddings: read.size('original_max_position_embeddings', positions),
  }),
  yarn,
  longrope,
  su: longrope, // the name in early Phi-3 files
};

/** The rotary embedding of a configuration. Throws InputError on a bad field or a type that there is not. */
export function ropeParameters(read: ConfigReader, defaults: RopeDefaults): RopeParameters {
  const own = read.record('rope_parameters');
  const where = own ? new ConfigReader(own) : read;
  const scaling = own ?? read.record('rope_scaling') ?? {};
  return assembled(where, new ConfigReader(scaling), read, defaults);
}

/** As `ropeParameters`, for files that may have one for each type of block. */
export function ropeByType(
  read: ConfigReader,
  type: LayerType,
  defaults: RopeDefaults,
): RopeParameters | undefined {
  const own = new ConfigReader(read.record('rope_parameters') ?? {}).record(type);
  if (!own) return undefined;
  const reader = new ConfigReader(own);
  return assembled(reader, reader, read, defaults);
}

function assembled(
  where: ConfigReader,
  scaling: ConfigReader,
  whole: ConfigReader,
  defaults: RopeDefaults,
): RopeParameters {
  const part = where.positive('partial_rotary_factor', whole.positive('partial_rotary_factor', 1));
  const width = Math.floor(defaults.width * part);
  if (width % 2 !== 0 || width > defaults.width)
    throw new InputError(
      `config.json: ${width} of the ${defaults.width} components of a head would turn; the rotary embedding needs pairs`,
    );
  const theta = where.positive('rope_theta', defaults.theta ?? 10000);
  return { width, theta, scaling: readScaling(scaling, whole, { ...defaults, width }) };
}

function readScaling(
  scaling: ConfigReader,
  whole: ConfigReader,
  defaults: RopeDefaults,
): RopeScaling {
  const type = scaling.get('rope_type') ?? scaling.get('type') ?? 'default';
  const reader =
    typeof type === 'string' && Object.hasOwn(READERS, type) ? READERS[type] : undefined;
  if (reader) return checked(reader(scaling, whole, defaults), defaults);
  throw new InputError(
    `config.json: a rotary embedding of type ${JSON.stringify(type)} is not supported; supported are ` +
      Object.keys(READERS).join(', '),
  );
}

function checked(scaling: RopeScaling, { width }: RopeDefaults): RopeScaling {
  if (scaling.rope_type === 'dynamic' && width <= 2)
    throw new InputError('config.json: a dynamic rotary embedding needs heads wider than 2');
  if (scaling.rope_type === 'llama3' && scaling.high_freq_factor <= scaling.low_freq_factor)
    throw new InputError('config.json: high_freq_factor must be above low_freq_factor');
  return scaling;
}

function yarn(read: ConfigReader, _: ConfigReader, { positions }: RopeDefaults): YarnScaling {
  const factor = read.positive('factor');
  return {
    rope_type: 'yarn',
    factor,
    attention_factor: read.positive('attention_factor', yarnAttention(read, factor)),
    beta_fast: read.positive('beta_fast', 32),
    beta_slow: read.positive('beta_slow', 1),
    original_max_position_embeddings: read.size('original_max_position_embeddings', positions),
    truncate: read.flag('truncate', true),
  };
}

/** 0.1·ln s + 1 (section 3.4 of the paper), or the ratio of two such terms in files of DeepSeek's form. */
function yarnAttention(read: ConfigReader, factor: number): number {
  const term = (scale: number): number => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  const [one, all] = [read.get('mscale'), read.get('mscale_all_dim')];
  if (!one || !all) return term(1);
  return term(read.positive('mscale')) / term(read.positive('mscale_all_dim'));
}

function longrope(
  read: ConfigReader,
  whole: ConfigReader,
  { width, positions }: RopeDefaults,
): LongRopeScaling {
  const own = read.get('original_max_position_embeddings') === undefined ? whole : read;
  const original = own.size('original_max_position_embeddings', positions);
  const stretched = own.get('original_max_position_embeddings') !== undefined;
  const factor = stretched ? positions / original : read.positive('factor', 1);
  const usual = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
  return {
    rope_type: 'longrope',
    short_factor: factors(read, 'short_factor', width / 2),
    long_factor: factors(read, 'long_factor', width / 2),
    attention_factor: read.positive('attention_factor', usual),
    original_max_position_embeddings: original,
  };
}

function factors(read: ConfigReader, key: string, count: number): readonly number[] {
  const value = read.get(key);
  const good = (x: unknown): x is number => typeof x === 'number' && Number.isFinite(x) && x > 0;
  if (Array.isArray(value) && value.length === count && value.every(good)) return value;
  throw read.bad(key, value, `a list of ${count} numbers above 0`);
}
