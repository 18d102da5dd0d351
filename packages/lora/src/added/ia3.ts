/**
 * @file IA3 of PEFT: a learnt factor on each output of keys and values, and on each input of the last layer of a
 * feed-forward network (Liu et al. 2022, https://arxiv.org/abs/2205.05638, section 3.3). It begins at 1.
 */
import type { Config, JsonRecord } from '@camada/hub';
import { InputError, sameShape, showShape, tensor, type Shape, type Tensor } from '@camada/tensor';
import {
  inLayout,
  isLinear,
  type BaseLayer,
  type LinearBase,
  type Weights,
} from '../adapter/base.ts';
import type { LayerPart } from '../adapter/part.ts';
import type { LayerMethod, Place } from '../method/method.ts';
import {
  checkLayerConfig,
  LAYER_DEFAULTS,
  LAYER_KEYS,
  readLayerFields,
  readNames,
  type LayerConfig,
} from '../peft/common.ts';
import { fullMatch } from '../peft/pattern.ts';
import { onlyPeftKeys, storedAtPaths } from './stored.ts';

/** Settings of IA³. */
export interface IA3Config extends LayerConfig {
  /** Those of `target_modules` whose input is scaled, by the end of their path, or by a pattern for the whole path. */
  readonly feedforward_modules: readonly string[] | string;
  /** Whether factors begin at 1; other beginnings are for tests. */
  readonly init_ia3_weights: boolean;
}

/** What a user says. */
export type IA3Options = Partial<IA3Config> &
  Pick<IA3Config, 'target_modules' | 'feedforward_modules'>;

/** A complete config. Throws InputError naming the field that is not allowed; `place` is file or call. */
export function ia3Config(options: IA3Options, place = 'IA3'): IA3Config {
  const config: IA3Config = { ...LAYER_DEFAULTS, init_ia3_weights: true, ...options };
  checkLayerConfig(config, place);
  const { target_modules: targets, feedforward_modules: inputs } = config;
  if (typeof targets === 'string' || typeof inputs === 'string') return config;
  const other = inputs.find((name) => !targets.includes(name));
  if (other === undefined) return config;
  throw new InputError(`${place}: feedforward_modules has '${other}', which target_modules lacks`);
}

const KEYS_VALUES: readonly string[] = ['k_proj', 'v_proj', 'down_proj'];
const QUERIES_VALUES: readonly string[] = ['q_proj', 'v_proj', 'down_proj'];

/** PEFT's targets by `model_type`; the last is the one whose input is scaled. Those of DistilBERT, ModernBERT and Phi-3 are ours. */
const TARGETS: Readonly<Record<string, readonly string[]>> = {
  bert: ['key', 'value', 'output.dense'],
  roberta: ['key', 'value', 'output.dense'],
  'xlm-roberta': ['key', 'value', 'output.dense'],
  'deberta-v2': ['key_proj', 'value_proj', 'output.dense'],
  distilbert: ['k_lin', 'v_lin', 'ffn.lin2'],
  modernbert: ['Wqkv', 'mlp.Wo'],
  gpt2: ['c_attn', 'mlp.c_proj'],
  llama: KEYS_VALUES,
  mistral: KEYS_VALUES,
  qwen2: QUERIES_VALUES,
  qwen3: QUERIES_VALUES,
  gemma: QUERIES_VALUES,
  gemma2: QUERIES_VALUES,
  gemma3_text: QUERIES_VALUES,
  phi3: ['qkv_proj', 'down_proj'],
};

/** The targets of an architecture where the user names none. Throws InputError where there is no default. */
export function ia3Targets(
  modelType: string,
): Pick<IA3Config, 'target_modules' | 'feedforward_modules'> {
  const targets = Object.hasOwn(TARGETS, modelType) ? TARGETS[modelType] : undefined;
  if (targets) return { target_modules: targets, feedforward_modules: targets.slice(-1) };
  throw new InputError(
    `IA3 has no default target_modules for "${modelType}"; name them, and feedforward_modules`,
  );
}

function parse(source: Config): IA3Config {
  const config: IA3Config = {
    ...readLayerFields(source),
    feedforward_modules: readNames(source, 'feedforward_modules') ?? [],
    init_ia3_weights: source.boolean('init_ia3_weights', true),
  };
  return ia3Config(config, source.file);
}

/** IA³. */
export const IA3: LayerMethod<IA3Config> = {
  kind: 'layers',
  peftType: 'IA3',
  keys: [...LAYER_KEYS, 'feedforward_modules', 'init_ia3_weights'],
  suffixes: ['ia3_l'],
  parse,
  record: (config): JsonRecord => onlyPeftKeys(config),
  wraps: (module): module is BaseLayer => isLinear(module),
  fresh(place) {
    const shape = shapeOf(place);
    const ones = new Float32Array(shape[0] * shape[1]).fill(1);
    return new IA3Part(tensor(ones, shape), isFeedforward(place));
  },
  restore(place, tensors) {
    const factor = tensors.get('ia3_l');
    const shape = shapeOf(place);
    if (factor && sameShape(factor.shape, shape)) return new IA3Part(factor, isFeedforward(place));
    throw wrongShape(place.path, factor?.shape, shape);
  },
  stored: storedAtPaths,
};

function wrongShape(path: string, given: Shape | undefined, needed: Shape): InputError {
  return new InputError(
    `the adapter's '${path}' has ia3_l ${given ? showShape(given) : '(missing)'}, but needs ${showShape(needed)}: ` +
      'was it trained for another model, or with other feedforward_modules?',
  );
}

/** PEFT matches the end of the path without a dot before it. */
function isFeedforward({ path, config }: Place<IA3Config>): boolean {
  const { feedforward_modules: names } = config;
  if (typeof names === 'string') return fullMatch(names, 'IA3: feedforward_modules')(path);
  return names.some((name) => path.endsWith(name));
}

function shapeOf(place: Place<IA3Config>): readonly [number, number] {
  const { inFeatures, outFeatures } = linearOf(place);
  return isFeedforward(place) ? [1, inFeatures] : [outFeatures, 1];
}

function linearOf({ base, path }: Place<IA3Config>): LinearBase {
  if (isLinear(base)) return base;
  throw new InputError(`IA3: '${path}' is no linear layer`);
}

/** Factors on the inputs or the outputs of a linear layer. */
export class IA3Part implements LayerPart {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly #factor: Tensor;
  readonly #onInput: boolean;

  /** @param factor [1, in] on the input, [out, 1] on the output. */
  constructor(factor: Tensor, onInput: boolean) {
    this.tensors = new Map([['ia3_l', factor]]);
    this.#factor = factor;
    this.#onInput = onInput;
  }

  /** x [..., in] to [..., in]. */
  input(x: Tensor): Tensor {
    return this.#onInput ? x.mul(this.#factor.reshape([-1])) : x;
  }

  /** y [..., out] to [..., out]. */
  output(y: Tensor): Tensor {
    return this.#onInput ? y : y.mul(this.#factor.reshape([-1]));
  }

  /** W·l by columns, or by rows, where the bias is scaled too. */
  merge({ weight, bias }: Weights, base: BaseLayer): Weights {
    const merged = weight.cast('f32').mul(inLayout(base, this.#factor));
    return { weight: merged, bias: this.#onInput ? bias : bias?.mul(this.#factor.reshape([-1])) };
  }
}
