/** @file Settings that adapters of several methods share, in PEFT's names, and how they are read from a file. */
import type { Config } from '@camada/hub';
import { InputError } from '@camada/tensor';
import { checkPattern } from './pattern.ts';

/** Settings of every adapter (PEFT, `PeftConfig`). */
export interface PeftConfig {
  /** The kind of model, such as `SEQ_CLS` or `CAUSAL_LM`; null where it does not matter. */
  readonly task_type: string | null;
  /** The model it was trained on. */
  readonly base_model_name_or_path: string | null;
  /** Modules that are trained in full and stored with the adapter, such as `classifier`. */
  readonly modules_to_save: readonly string[] | null;
}

/** Which biases of the model are trained beside the adapter: none, all, or those of the adapted modules. */
export type BiasChoice = 'none' | 'all' | 'lora_only';

/** Settings of an adapter that sits on layers. */
export interface LayerConfig extends PeftConfig {
  /** Modules to adapt: names matched at the end of the path, one pattern for the whole path, or `all-linear`. */
  readonly target_modules: readonly string[] | string;
  /** Modules left out, written as `target_modules` are. */
  readonly exclude_modules: readonly string[] | string | null;
  /** Layers to adapt; null for all. Goes with a list of names only. */
  readonly layers_to_transform: readonly number[] | null;
  /** Names of the lists that hold the layers, such as `layers`; null for any. */
  readonly layers_pattern: readonly string[] | null;
  /** Whether adapted weights are stored as [in, out] (GPT-2's Conv1D). */
  readonly fan_in_fan_out: boolean;
  /** Which biases train; `none` in methods that do not have the choice. */
  readonly bias: BiasChoice;
}

/** Values of the shared settings where none is given. */
export const LAYER_DEFAULTS: Omit<LayerConfig, 'target_modules'> = {
  task_type: null,
  base_model_name_or_path: null,
  modules_to_save: null,
  exclude_modules: null,
  layers_to_transform: null,
  layers_pattern: null,
  fan_in_fan_out: false,
  bias: 'none',
};

/** Keys of `PeftConfig`. */
export const PEFT_KEYS: readonly string[] = [
  'peft_type',
  'task_type',
  'base_model_name_or_path',
  'modules_to_save',
];

/** Keys of `LayerConfig`. */
export const LAYER_KEYS: readonly string[] = [
  ...PEFT_KEYS,
  'target_modules',
  'exclude_modules',
  'layers_to_transform',
  'layers_pattern',
  'fan_in_fan_out',
  'bias',
];

/** Reads the settings of every adapter. Throws InputError on a field of a wrong type. */
export function readPeftFields(source: Config): PeftConfig {
  const text = (key: string): string | null => (source.has(key) ? source.string(key) : null);
  return {
    task_type: text('task_type'),
    base_model_name_or_path: text('base_model_name_or_path'),
    modules_to_save: source.has('modules_to_save')
      ? [...new Set(source.strings('modules_to_save'))]
      : null,
  };
}

/** Reads the settings of an adapter on layers. Throws InputError on a field of a wrong type. */
export function readLayerFields(source: Config): LayerConfig {
  return {
    ...readPeftFields(source),
    target_modules: readNames(source, 'target_modules') ?? source.strings('target_modules'),
    exclude_modules: readNames(source, 'exclude_modules'),
    layers_to_transform: readLayers(source),
    layers_pattern: readPatterns(source),
    fan_in_fan_out: source.boolean('fan_in_fan_out', false),
    bias: readBias(source),
  };
}

/** A list of names, one pattern, or null. Throws InputError on anything else. */
export function readNames(source: Config, key: string): readonly string[] | string | null {
  if (!source.has(key)) return null;
  return typeof source.get(key) === 'string' ? source.string(key) : source.strings(key);
}

/** Numbers by pattern; empty where the key is missing. Throws InputError on anything else. */
export function readNumbers(source: Config, key: string): Readonly<Record<string, number>> {
  const section = source.section(key);
  if (!section) return {};
  return Object.fromEntries(
    Object.keys(section.values).map((name) => [name, section.number(name)]),
  );
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

/** In PEFT the third choice is named after the method: `lora_only`, `vera_only`, … */
function readBias(source: Config): BiasChoice {
  const bias = source.string('bias', 'none');
  if (bias === 'none' || bias === 'all') return bias;
  if (/^[a-z]+_only$/.test(bias)) return 'lora_only';
  throw new InputError(
    `${source.file}: "bias" is "${bias}", but must be none, all or lora_only; correct it.`,
  );
}

/** Throws InputError naming the shared field that is not allowed; `place` is the file or the call. */
export function checkLayerConfig(config: LayerConfig, place: string): void {
  const { target_modules, exclude_modules, layers_to_transform, layers_pattern } = config;
  if (target_modules.length === 0) {
    const allowed = 'at least one module name, or a pattern';
    throw wrongField(place, 'target_modules', target_modules, allowed);
  }
  for (const names of [target_modules, exclude_modules]) {
    if (typeof names === 'string')
      checkPattern(names, `${place}: target_modules or exclude_modules`);
  }
  if (layers_to_transform && typeof target_modules === 'string') {
    throw new InputError(
      `${place}: layers_to_transform goes with a list of target_modules, not with a pattern; ` +
        'put the layers into the pattern, or give a list of names.',
    );
  }
  if (layers_pattern && !layers_to_transform) {
    throw new InputError(
      `${place}: layers_pattern needs layers_to_transform; give the layers or drop layers_pattern.`,
    );
  }
  for (const pattern of layers_pattern ?? []) checkPattern(pattern, `${place}: layers_pattern`);
}

/** The error for a setting that cannot be. */
export function wrongField(
  place: string,
  field: string,
  value: unknown,
  allowed: string,
): InputError {
  return new InputError(
    `${place}: ${field} is ${JSON.stringify(value) ?? String(value)}, but must be ${allowed}; change it.`,
  );
}
