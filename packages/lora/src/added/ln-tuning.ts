/** @file LN_TUNING of PEFT: the norms train, everything else is frozen (Zhao et al. 2023, https://arxiv.org/abs/2312.11420). */
import type { Config, JsonRecord } from '@camada/hub';
import { LayerNorm, RMSNorm, setParameter, type Module } from '@camada/nn';
import { InputError, sameShape, tensor, type Tensor } from '@camada/tensor';
import { isNorm, type BaseLayer, type Weights } from '../adapter/base.ts';
import type { LayerPart } from '../adapter/part.ts';
import type { LayerMethod, Place } from '../method/method.ts';
import {
  checkLayerConfig,
  LAYER_DEFAULTS,
  LAYER_KEYS,
  readLayerFields,
  type LayerConfig,
} from '../peft/common.ts';
import { onlyPeftKeys, storedAtPaths } from './stored.ts';

/** What a user says. */
export type LnTuningOptions = Partial<LayerConfig> & Pick<LayerConfig, 'target_modules'>;

/** A complete config. Throws InputError naming the field that is not allowed. */
export function lnTuningConfig(options: LnTuningOptions, place = 'LN tuning'): LayerConfig {
  const config: LayerConfig = { ...LAYER_DEFAULTS, ...options };
  checkLayerConfig(config, place);
  return config;
}

const WEIGHT = 'ln_tuning_layers.weight';
const BIAS = 'ln_tuning_layers.bias';

type Norm = LayerNorm | RMSNorm;

/** LayerNorm tuning. */
export const LN_TUNING: LayerMethod = {
  kind: 'layers',
  peftType: 'LN_TUNING',
  keys: LAYER_KEYS,
  suffixes: [WEIGHT, BIAS],
  parse: (source: Config): LayerConfig => lnTuningConfig(readLayerFields(source), source.file),
  record(config): JsonRecord {
    const { fan_in_fan_out: _transposed, ...record } = onlyPeftKeys(config);
    return record;
  },
  wraps: (module): module is Module & BaseLayer => isNorm(module),
  async fresh(place) {
    const base = normOf(place);
    const copy = async (x: Tensor): Promise<Tensor> => tensor(await x.cast('f32').data(), x.shape);
    const tensors = new Map([[WEIGHT, await copy(base.weight)]]);
    if ('bias' in base && base.bias) tensors.set(BIAS, await copy(base.bias));
    return new NormPart(base, tensors);
  },
  restore(place, tensors) {
    const base = normOf(place);
    const wanted = 'bias' in base && base.bias ? [WEIGHT, BIAS] : [WEIGHT];
    const fits = wanted.every((key) => {
      const found = tensors.get(key);
      return found !== undefined && sameShape(found.shape, base.weight.shape);
    });
    if (fits && tensors.size === wanted.length) return new NormPart(base, tensors);
    throw new InputError(
      `the adapter's norm '${place.path}' has ${[...tensors.keys()].join(', ')}, but needs ${wanted.join(' and ')} of ` +
        `${base.weight.size} numbers: was it trained for another model?`,
    );
  },
  stored: storedAtPaths,
};

function normOf({ base, path }: Place<LayerConfig>): Norm {
  if (isNorm(base)) return base;
  throw new InputError(`LN tuning: '${path}' is no LayerNorm or RMSNorm`);
}

/** A norm's own weight and bias in the place of the model's. */
class NormPart implements LayerPart {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly #norm: Norm;

  constructor(base: Norm, tensors: ReadonlyMap<string, Tensor>) {
    this.tensors = tensors;
    const bias = tensors.get(BIAS);
    const width = base.weight.size;
    this.#norm =
      base instanceof LayerNorm
        ? new LayerNorm(width, base.eps, bias !== undefined)
        : new RMSNorm(width, base.eps);
    setParameter(this.#norm, 'weight', tensors.get(WEIGHT)!);
    if (bias) setParameter(this.#norm, 'bias', bias);
  }

  /** The norm of x [..., C] with the trained weights; what the base layer gave is not used. */
  output(_y: Tensor, x: Tensor): Tensor {
    return this.#norm.call(x);
  }

  /** The trained weights, as copies: merged ones are freed by themselves. */
  merge({ bias }: Weights): Weights {
    const own = this.tensors.get(BIAS);
    return { weight: this.tensors.get(WEIGHT)!.mul(1), bias: own?.mul(1) ?? bias };
  }
}
