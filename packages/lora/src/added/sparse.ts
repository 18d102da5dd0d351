/**
 * @file SHIRA of PEFT: a fixed set of weights trains, all others keep every bit (Bhardwaj et al. 2024,
 * https://arxiv.org/abs/2406.13175). Chosen by the Fisher information it is the FISH mask of Sung et al. 2021
 * (https://arxiv.org/abs/2111.09839). What trains is a vector of changes, so gradients beyond a layer's and the
 * optimizer's state exist for chosen weights only.
 */
import type { Config, JsonRecord } from '@camada/hub';
import { linear, parameterKey, Random } from '@camada/nn';
import { InputError, tensor, zeros, type Tensor } from '@camada/tensor';
import {
  inLayout,
  isLinear,
  isTransposed,
  type BaseLayer,
  type LinearBase,
  type Weights,
} from '../adapter/base.ts';
import type { AdditivePart } from '../adapter/part.ts';
import type { LayerMethod, Place } from '../method/method.ts';
import {
  checkLayerConfig,
  LAYER_DEFAULTS,
  LAYER_KEYS,
  readLayerFields,
  wrongField,
  type LayerConfig,
} from '../peft/common.ts';
import { onlyPeftKeys, storedAtPaths } from './stored.ts';

/** Settings of sparse fine-tuning. */
export interface SparseConfig extends LayerConfig {
  /** R: r·(in + out) weights of a layer train, as many as LoRA's numbers of that rank. */
  readonly r: number;
  /** How they were chosen; PEFT knows `random` only and reads the others all the same. */
  readonly mask_type: string;
}

/** What a user says. */
export type SparseOptions = Partial<SparseConfig> & Pick<SparseConfig, 'target_modules'>;

/** A complete config. Throws InputError naming the field that is not allowed. */
export function sparseConfig(options: SparseOptions, place = 'SHiRA'): SparseConfig {
  const config: SparseConfig = { ...LAYER_DEFAULTS, r: 8, mask_type: 'random', ...options };
  checkLayerConfig(config, place);
  if (!(Number.isSafeInteger(config.r) && config.r >= 1))
    throw wrongField(place, 'r', config.r, 'a whole number from 1');
  return config;
}

const VALUES = 'shira_weight';
const INDICES = 'shira_indices';

function parse(source: Config): SparseConfig {
  const config = {
    ...readLayerFields(source),
    r: source.integer('r', 32),
    mask_type: source.string('mask_type', 'random'),
  };
  return sparseConfig(config, source.file);
}

/** Sparse fine-tuning of weights chosen at random; `sparseBy` chooses by scores. */
export const SHIRA: LayerMethod<SparseConfig> = {
  kind: 'layers',
  peftType: 'SHIRA',
  keys: [...LAYER_KEYS, 'r', 'mask_type', 'random_seed', 'init_weights'],
  suffixes: [VALUES, INDICES],
  parse,
  record: (config): JsonRecord => onlyPeftKeys(config),
  wraps: (module): module is BaseLayer => isLinear(module),
  fresh: (place, seed) => freshPart(place, randomScores(place, seed)),
  restore,
  stored: storedAtPaths,
};

/**
 * The method with weights chosen by scores: in each layer those with the greatest.
 * @param scores [out, in] by path, such as `magnitudes` or `fisherScores` give.
 */
export function sparseBy(
  scores: ReadonlyMap<string, ArrayLike<number>>,
): LayerMethod<SparseConfig> {
  return {
    ...SHIRA,
    fresh(place) {
      const own = scores.get(place.path);
      if (own) return freshPart(place, own);
      throw new InputError(`SHiRA: there are no scores of '${place.path}'`);
    },
  };
}

function randomScores(place: Place<SparseConfig>, seed: number): Float64Array {
  const { inFeatures, outFeatures } = linearOf(place);
  const random = new Random(parameterKey(seed, `${place.path}.${INDICES}`));
  return new Float64Array(inFeatures * outFeatures).map(() => random.uniform());
}

function freshPart(place: Place<SparseConfig>, scores: ArrayLike<number>): SparsePart {
  const base = linearOf(place);
  const { inFeatures: width, outFeatures } = base;
  const count = place.config.r * (width + outFeatures);
  if (count > scores.length)
    throw new InputError(
      `SHiRA: r ${place.config.r} asks for ${count} weights of '${place.path}', which has ${scores.length}; use a smaller r`,
    );
  const chosen = greatest(scores, count);
  const indices = new Float32Array(2 * count);
  chosen.forEach((flat, i) => {
    indices[i] = Math.floor(flat / width);
    indices[count + i] = flat % width;
  });
  return new SparsePart(
    base,
    tensor(new Float32Array(count), [count]),
    tensor(indices, [2, count]),
    chosen,
  );
}

/** Indices of the greatest scores, ascending; of equals the first. */
function greatest(scores: ArrayLike<number>, count: number): Int32Array {
  const order = Int32Array.from({ length: scores.length }, (_, i) => i);
  order.sort((a, b) => scores[b]! - scores[a]! || a - b);
  return order.slice(0, count).sort();
}

async function restore(
  place: Place<SparseConfig>,
  tensors: ReadonlyMap<string, Tensor>,
): Promise<SparsePart> {
  const base = linearOf(place);
  const values = tensors.get(VALUES);
  const indices = tensors.get(INDICES);
  if (!values || indices?.shape[0] !== 2 || indices.shape[1] !== values.size)
    throw new InputError(
      `the adapter's '${place.path}' needs shira_weight [n] and shira_indices [2, n]; save it again`,
    );
  const places = await indices.data();
  const flat = Int32Array.from({ length: values.size }, (_, i) => {
    const row = places[i]!;
    const column = places[values.size + i]!;
    if (row >= 0 && row < base.outFeatures && column >= 0 && column < base.inFeatures)
      return row * base.inFeatures + column;
    throw new InputError(
      `the adapter's '${place.path}' has an index (${row}, ${column}) outside the weight ` +
        `[${base.outFeatures}, ${base.inFeatures}]: was it trained for another model?`,
    );
  });
  return new SparsePart(base, values, indices, flat);
}

function linearOf({ base, path }: Place<SparseConfig>): LinearBase {
  if (isLinear(base)) return base;
  throw new InputError(`SHiRA: '${path}' is no linear layer`);
}

/** Changes of some weights of a linear layer. */
export class SparsePart implements AdditivePart {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly frozen: ReadonlySet<string> = new Set([INDICES]);
  readonly #values: Tensor;
  readonly #flat: Tensor;
  readonly #shape: readonly [number, number];

  /** @param values [n]. @param indices [2, n], rows and columns. @param flat row·in + column. */
  constructor(base: LinearBase, values: Tensor, indices: Tensor, flat: Int32Array) {
    this.tensors = new Map([
      [VALUES, values],
      [INDICES, indices],
    ]);
    this.#values = values;
    this.#flat = tensor(flat);
    this.#shape = [base.outFeatures, base.inFeatures];
  }

  /** y [..., out] and x [..., in] to [..., out]. */
  output(y: Tensor, x: Tensor): Tensor {
    return y.add(linear(x, this.delta()));
  }

  /** ΔW: [out, in], zero but for the chosen weights. */
  delta(): Tensor {
    const [out, width] = this.#shape;
    return zeros([out * width])
      .scatter(0, this.#flat, this.#values)
      .reshape([out, width]);
  }

  /** W with the chosen weights changed; all others keep every bit. */
  merge({ weight, bias }: Weights, base: BaseLayer): Weights {
    const stored = weight.cast('f32');
    const rows = isTransposed(base) ? stored.transpose() : stored; // [out, in]
    const changed = rows.reshape([-1]).scatterAdd(0, this.#flat, this.#values);
    return { weight: inLayout(base, changed.reshape(this.#shape)), bias };
  }
}
