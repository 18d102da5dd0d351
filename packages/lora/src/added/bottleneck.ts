/**
 * @file Bottleneck adapters: h + s·f(h·D + d)·U + u, a small network with a residual inside a block. Houlsby et al. 2019
 * (https://arxiv.org/abs/1902.00751) put one after attention and one after the feed-forward network, before the
 * residual and the LayerNorm; Pfeiffer et al. 2020 (https://arxiv.org/abs/2005.00247) only the second, behind a LayerNorm
 * of its input. Settings have the names of the library `adapters` (https://github.com/adapter-hub/adapters).
 */
import type { Config, JsonRecord } from '@camada/hub';
import {
  LayerNorm,
  activation,
  kaimingUniform,
  linear,
  normal,
  parameterKey,
  type Activation,
  type Context,
  type Module,
} from '@camada/nn';
import { InputError, sameShape, showShape, tensor, type Shape, type Tensor } from '@camada/tensor';
import { isLinear, type BaseLayer } from '../adapter/base.ts';
import type { LayerPart } from '../adapter/part.ts';
import type { LayerMethod, Place } from '../method/method.ts';
import {
  checkLayerConfig,
  LAYER_DEFAULTS,
  LAYER_KEYS,
  readLayerFields,
  wrongField,
  type LayerConfig,
} from '../peft/common.ts';

/** Settings of bottleneck adapters. */
export interface BottleneckConfig extends LayerConfig {
  /** Width of the model through width of the bottleneck. */
  readonly reduction_factor: number;
  /** Name of f. */
  readonly non_linearity: string;
  /** Factor s. */
  readonly scaling: number;
  /** `bert`: N(0, 0.02), nearly the identity; `mam_adapter`: U begins at 0, exactly the identity. */
  readonly init_weights: 'bert' | 'mam_adapter';
}

/** What a user says. */
export type BottleneckOptions = Partial<BottleneckConfig> &
  Pick<BottleneckConfig, 'target_modules'>;

/** A complete config. Throws InputError naming the field that is not allowed. */
export function bottleneckConfig(
  options: BottleneckOptions,
  place = 'bottleneck adapters',
): BottleneckConfig {
  const config: BottleneckConfig = {
    ...LAYER_DEFAULTS,
    reduction_factor: 16,
    non_linearity: 'relu',
    scaling: 1,
    init_weights: 'bert',
    ...options,
  };
  checkLayerConfig(config, place);
  for (const field of ['reduction_factor', 'scaling'] as const)
    if (!(Number.isFinite(config[field]) && config[field] > 0))
      throw wrongField(place, field, config[field], 'a number above 0');
  activation(config.non_linearity);
  return config;
}

/** Ends of the keys of a part. */
export const BOTTLENECK_KEYS: readonly string[] = [
  'adapter_down.0.weight',
  'adapter_down.0.bias',
  'adapter_up.weight',
  'adapter_up.bias',
];
const [DOWN, DOWN_BIAS, UP, UP_BIAS] = BOTTLENECK_KEYS as readonly [string, string, string, string];

function parse(source: Config): BottleneckConfig {
  const init = source.string('init_weights', 'bert');
  if (init !== 'bert' && init !== 'mam_adapter')
    throw wrongField(source.file, 'init_weights', init, 'bert or mam_adapter');
  const config: BottleneckConfig = {
    ...readLayerFields(source),
    reduction_factor: source.number('reduction_factor', 16),
    non_linearity: source.string('non_linearity', 'relu'),
    scaling: source.number('scaling', 1),
    init_weights: init,
  };
  return bottleneckConfig(config, source.file);
}

/**
 * Bottleneck adapters. PEFT does not have them: this `peft_type` is ours, in PEFT's layout; `hub-folder.ts` writes and
 * reads the layout of `adapters`. On a linear layer an adapter follows it (Houlsby), on a LayerNorm it is in front of it
 * (Pfeiffer).
 */
export const BOTTLENECK: LayerMethod<BottleneckConfig> = {
  kind: 'layers',
  peftType: 'BOTTLENECK',
  keys: [...LAYER_KEYS, 'reduction_factor', 'non_linearity', 'scaling', 'init_weights'],
  suffixes: BOTTLENECK_KEYS,
  parse,
  record: (config): JsonRecord => ({ ...config }),
  wraps: (module): module is Module & BaseLayer => isLinear(module) || module instanceof LayerNorm,
  fresh: (place, seed) => new BottleneckPart(place.config, freshTensors(place, seed)),
  restore(place, tensors) {
    for (const [key, shape] of shapesOf(place)) {
      const found = tensors.get(key);
      if (!found || !sameShape(found.shape, shape))
        throw new InputError(
          `the adapter's '${place.path}.${key}' is ${found ? showShape(found.shape) : 'missing'}, but must be ` +
            `${showShape(shape)}: was it trained for another model?`,
        );
    }
    return new BottleneckPart(place.config, tensors);
  },
};

function shapesOf({ base, path, config }: Place<BottleneckConfig>): Map<string, Shape> {
  const width = isLinear(base) ? base.outFeatures : (base as LayerNorm).weight.size;
  const narrow = Math.floor(width / config.reduction_factor);
  if (narrow < 1)
    throw new InputError(
      `bottleneck adapters: reduction_factor ${config.reduction_factor} leaves no width at '${path}' (${width})`,
    );
  return new Map<string, Shape>([
    [DOWN, [narrow, width]],
    [DOWN_BIAS, [narrow]],
    [UP, [width, narrow]],
    [UP_BIAS, [width]],
  ]);
}

function freshTensors(place: Place<BottleneckConfig>, seed: number): Map<string, Tensor> {
  const exact = place.config.init_weights === 'mam_adapter';
  const made = (key: string, shape: Shape): Tensor => {
    const random = parameterKey(seed, `${place.path}.${key}`);
    if (shape.length === 1 || (exact && key === UP))
      return tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
    return exact ? kaimingUniform(shape, Math.sqrt(5), random) : normal(shape, 0.02, random);
  };
  return new Map([...shapesOf(place)].map(([key, shape]) => [key, made(key, shape)]));
}

/** An adapter after a linear layer, or in front of a LayerNorm. */
export class BottleneckPart implements LayerPart {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly #between: Activation;
  readonly #scaling: number;

  constructor(
    { non_linearity, scaling }: Pick<BottleneckConfig, 'non_linearity' | 'scaling'>,
    tensors: ReadonlyMap<string, Tensor>,
  ) {
    this.tensors = tensors;
    this.#between = activation(non_linearity);
    this.#scaling = scaling;
  }

  /** In front of a norm: x [..., C], the residual added, becomes x + A(norm(x)). */
  input(x: Tensor, base: BaseLayer, context: Context): Tensor {
    return isLinear(base) ? x : x.add(this.#network(base.call(x, context)));
  }

  /** After a linear layer: y [..., C] becomes y + A(y). */
  output(y: Tensor, _x: Tensor, base: BaseLayer): Tensor {
    return isLinear(base) ? y.add(this.#network(y)) : y;
  }

  #network(h: Tensor): Tensor {
    const at = (key: string): Tensor => this.tensors.get(key)!;
    const narrow = this.#between(linear(h, at(DOWN), at(DOWN_BIAS)));
    const wide = linear(narrow, at(UP), at(UP_BIAS)); // [..., C]
    return this.#scaling === 1 ? wide : wide.mul(this.#scaling);
  }
}
