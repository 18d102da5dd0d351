/**
 * @file `adapter_config.json`, read strictly where numbers depend on it and leniently elsewhere, and written
 * with the keys that PEFT 0.6 knew, so that old versions, which stop at unknown keys, read it too.
 */
import { Config, type JsonRecord } from '@camada/hub';
import { InputError } from '@camada/tensor';
import { loraConfig, type LoraConfig } from './config.ts';

/** A config that was read, and what was ignored in its file: one sentence each, to be shown. */
export interface AdapterConfig {
  readonly config: LoraConfig;
  readonly warnings: readonly string[];
}

/** Keys that say nothing about the numbers. */
const INERT: ReadonlySet<string> = new Set([
  'auto_mapping',
  'revision',
  'peft_version',
  'inference_mode',
  'megatron_core',
  'qalora_group_size',
  'runtime_config',
  'ensure_weight_tying',
  'loftq_config',
  'eva_config',
  'corda_config',
  'lora_ga_config',
]);

/** Keys that change what an adapter computes, which is not supported: refused unless they say nothing. */
const OTHER_MATHEMATICS: ReadonlySet<string> = new Set([
  'use_dora',
  'use_qalora',
  'use_bdlora',
  'lora_bias',
  'layer_replication',
  'target_parameters',
  'trainable_token_indices',
  'alora_invocation_tokens',
  'megatron_config',
  'arrow_config',
  'kasa_config',
  'velora_config',
  'monteclora_config',
]);

/** Beginnings that leave the model's own weights alone; with others the adapter fits changed weights. */
const KEPT_BASE: readonly string[] = ['gaussian', 'orthogonal', 'eva'];

const OURS: ReadonlySet<string> = new Set([
  'peft_type',
  'task_type',
  'base_model_name_or_path',
  'r',
  'lora_alpha',
  'lora_dropout',
  'target_modules',
  'exclude_modules',
  'layers_to_transform',
  'layers_pattern',
  'rank_pattern',
  'alpha_pattern',
  'modules_to_save',
  'bias',
  'use_rslora',
  'fan_in_fan_out',
  'init_lora_weights',
]);

/**
 * Reads the record of an `adapter_config.json`. Throws `InputError` on another kind of adapter, on
 * mathematics that are not supported, and on fields of a wrong type; the rest is warned about.
 */
export function parseAdapterConfig(record: JsonRecord, file: string): AdapterConfig {
  const source = new Config(record, file);
  const type = source.string('peft_type');
  if (type !== 'LORA') {
    throw new InputError(
      `${file}: peft_type is "${type}", but only LORA adapters can be read; convert it.`,
    );
  }
  const warnings = checkOtherKeys(record, file);
  checkInit(source);
  return { config: loraConfig(readFields(source), file), warnings };
}

/** Unknown keys are told, unknown mathematics refused. */
function checkOtherKeys(record: JsonRecord, file: string): string[] {
  const warnings: string[] = [];
  for (const [key, value] of Object.entries(record)) {
    if (OURS.has(key) || INERT.has(key) || saysNothing(value)) continue;
    if (OTHER_MATHEMATICS.has(key) || (key.startsWith('use_') && value === true)) {
      throw new InputError(
        `${file}: "${key}" is ${JSON.stringify(value)}, which changes what the adapter computes and is not ` +
          'supported; merge it into the model with PEFT, or train it without.',
      );
    }
    warnings.push(`${file}: the key "${key}" is unknown and ignored.`);
  }
  return warnings;
}

function saysNothing(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === null || value === false;
}

function checkInit(source: Config): void {
  const init = source.get('init_lora_weights');
  if (typeof init !== 'string' || KEPT_BASE.includes(init)) return;
  throw new InputError(
    `${source.file}: init_lora_weights "${init}" changes the model's own weights, so the adapter does not fit ` +
      'the model as published; save it from PEFT as plain LoRA (path_initial_model_for_weight_conversion).',
  );
}

function readFields(source: Config): LoraConfig {
  return {
    task_type: source.has('task_type') ? source.string('task_type') : null,
    base_model_name_or_path: source.has('base_model_name_or_path')
      ? source.string('base_model_name_or_path')
      : null,
    r: source.integer('r', 8),
    lora_alpha: source.number('lora_alpha', 8),
    lora_dropout: source.number('lora_dropout', 0),
    target_modules: readNames(source, 'target_modules') ?? source.strings('target_modules'),
    exclude_modules: readNames(source, 'exclude_modules'),
    layers_to_transform: readLayers(source),
    layers_pattern: readPatterns(source),
    rank_pattern: readNumbers(source, 'rank_pattern'),
    alpha_pattern: readNumbers(source, 'alpha_pattern'),
    modules_to_save: source.has('modules_to_save')
      ? [...new Set(source.strings('modules_to_save'))]
      : null,
    bias: readBias(source),
    use_rslora: source.boolean('use_rslora', false),
    fan_in_fan_out: source.boolean('fan_in_fan_out', false),
    init_lora_weights: readInit(source),
  };
}

/** A list of names, one pattern, or null. */
function readNames(source: Config, key: string): readonly string[] | string | null {
  if (!source.has(key)) return null;
  return typeof source.get(key) === 'string' ? source.string(key) : source.strings(key);
}

/** A number, a list of numbers, or null; an empty list means all layers, as in PEFT. */
function readLayers(source: Config): readonly number[] | null {
  const value = source.get('layers_to_transform');
  if (value === undefined) return null;
  const layers: readonly unknown[] = Array.isArray(value) ? value : [value];
  const isLayer = (layer: unknown): layer is number =>
    Number.isSafeInteger(layer) && Number(layer) >= 0;
  if (!layers.every(isLayer)) {
    throw new InputError(
      `${source.file}: "layers_to_transform" is ${JSON.stringify(value)}, but must be whole numbers from 0; correct it.`,
    );
  }
  return layers.length > 0 ? layers : null;
}

function readPatterns(source: Config): readonly string[] | null {
  const names = readNames(source, 'layers_pattern');
  if (names === null || names.length === 0) return null;
  return typeof names === 'string' ? [names] : names;
}

function readNumbers(source: Config, key: string): Readonly<Record<string, number>> {
  const section = source.section(key);
  if (!section) return {};
  return Object.fromEntries(
    Object.keys(section.values).map((name) => [name, section.number(name)]),
  );
}

function readBias(source: Config): LoraConfig['bias'] {
  const bias = source.string('bias', 'none');
  if (bias === 'none' || bias === 'all' || bias === 'lora_only') return bias;
  throw new InputError(
    `${source.file}: "bias" is "${bias}", but must be none, all or lora_only; correct it.`,
  );
}

function readInit(source: Config): boolean | string {
  const init = source.get('init_lora_weights');
  return typeof init === 'string' ? init : source.boolean('init_lora_weights', true);
}

/** The record to write, keys sorted as PEFT sorts them; newer keys only where they say something. */
export function adapterConfigRecord(config: LoraConfig): JsonRecord {
  const { use_rslora, exclude_modules, ...known } = config;
  const record: Record<string, unknown> = {
    ...known,
    auto_mapping: null,
    inference_mode: true,
    peft_type: 'LORA',
    revision: null,
    ...(use_rslora ? { use_rslora } : {}),
    ...(exclude_modules?.length ? { exclude_modules } : {}),
  };
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
