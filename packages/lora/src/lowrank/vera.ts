/**
 * @file VeRA: y + b ⊙ B·(d ⊙ A·x) with random A and B that all layers share and that stay as they are; the vectors b
 * and d train (Kopiczko et al. 2023, https://arxiv.org/abs/2310.11454). A and B have the size of the largest layer;
 * smaller ones use their first columns and rows. b begins as zero, so the model is unchanged at first.
 */
import type { Config, JsonRecord } from '@camada/hub';
import { Dropout, linear, type Context } from '@camada/nn';
import { InputError, sameShape, showShape, tensor, type Shape, type Tensor } from '@camada/tensor';
import {
  inLayout,
  isLinear,
  type BaseLayer,
  type LinearBase,
  type Weights,
} from '../adapter/base.ts';
import type { Factors, LowRankPart } from '../adapter/part.ts';
import type { LayerMethod, Place } from '../method/method.ts';
import {
  checkLayerConfig,
  LAYER_DEFAULTS,
  LAYER_KEYS,
  readLayerFields,
  wrongField,
  type LayerConfig,
} from '../peft/common.ts';
import { checkDropout } from './config.ts';
import { TorchRandom } from './torch-random.ts';

/** VeRA's settings, PEFT's `VeraConfig`. */
export interface VeraConfig extends LayerConfig {
  /** Rank R of the shared matrices. */
  readonly r: number;
  /** Seed of A and B, of PyTorch's generator. */
  readonly projection_prng_key: number;
  /** Whether the files hold A and B; without, they are drawn again from the seed. */
  readonly save_projection: boolean;
  /** Probability that an input of the adapter is dropped in training. */
  readonly vera_dropout: number;
  /** What d begins as. */
  readonly d_initial: number;
}

/** Settings that a user gives; the others are PEFT's defaults. */
export type VeraOptions = Partial<VeraConfig> & Pick<VeraConfig, 'target_modules'>;

/** A complete config. Throws InputError naming the field that is not allowed. */
export function veraConfig(options: VeraOptions, place = 'VeRA'): VeraConfig {
  const config: VeraConfig = {
    ...LAYER_DEFAULTS,
    r: 256,
    projection_prng_key: 0,
    save_projection: true,
    vera_dropout: 0,
    d_initial: 0.1,
    ...options,
  };
  const { r, projection_prng_key: key } = config;
  if (!Number.isSafeInteger(r) || r < 1) throw wrongField(place, 'r', r, 'a whole number from 1');
  if (!Number.isSafeInteger(key) || key < 0)
    throw wrongField(place, 'projection_prng_key', key, 'a whole number from 0');
  checkDropout(config.vera_dropout, place, 'vera_dropout');
  checkLayerConfig(config, place);
  return config;
}

const SHARED_A = 'base_model.vera_A';
const SHARED_B = 'base_model.vera_B';
const LAMBDA_B = 'vera_lambda_b';
const LAMBDA_D = 'vera_lambda_d';

/** VeRA on linear layers. */
export const VERA: LayerMethod<VeraConfig> = {
  kind: 'layers',
  peftType: 'VERA',
  keys: [
    ...LAYER_KEYS,
    'r',
    'projection_prng_key',
    'save_projection',
    'vera_dropout',
    'd_initial',
    'init_weights',
  ],
  suffixes: [LAMBDA_B, LAMBDA_D],
  sharedKeys: [SHARED_A, SHARED_B],
  parse: parseVera,
  record: recordVera,
  wraps: (module): module is LinearBase => isLinear(module),
  share: drawShared,
  fresh: freshPart,
  restore: restorePart,
  stored: async (config, layers) => ({
    config,
    layers: new Map([...layers].map(([path, { tensors }]) => [path, tensors])),
    ...(config.save_projection ? {} : { shared: new Map<string, Tensor>() }),
  }),
};

function parseVera(source: Config): VeraConfig {
  const config: VeraConfig = {
    ...readLayerFields(source),
    r: source.integer('r', 256),
    projection_prng_key: source.integer('projection_prng_key', 0),
    save_projection: source.boolean('save_projection', true),
    vera_dropout: source.number('vera_dropout', 0),
    d_initial: source.number('d_initial', 0.1),
  };
  return veraConfig(config, source.file);
}

function recordVera({ bias, exclude_modules, ...known }: VeraConfig): JsonRecord {
  return {
    ...known,
    init_weights: true,
    bias: bias === 'lora_only' ? 'vera_only' : bias,
    ...(exclude_modules?.length ? { exclude_modules } : {}),
  };
}

/** A [R, in] and B [out, R] of the largest layer, Kaiming uniform with gain √2 from PyTorch's generator, as PEFT draws them. */
function drawShared(
  bases: ReadonlyMap<string, BaseLayer>,
  { r, projection_prng_key }: VeraConfig,
): ReadonlyMap<string, Tensor> {
  const layers = [...bases.values()].filter(isLinear);
  const width = Math.max(...layers.map((base) => base.inFeatures));
  const out = Math.max(...layers.map((base) => base.outFeatures));
  const random = new TorchRandom(projection_prng_key);
  const draw = (rows: number, columns: number): Tensor => {
    const bound = Math.sqrt(3) * (Math.SQRT2 / Math.sqrt(columns));
    return tensor(random.uniform(rows * columns, -bound, bound), [rows, columns]);
  };
  const a = draw(r, width); // A is drawn first
  return new Map([
    [SHARED_A, a],
    [SHARED_B, draw(out, r)],
  ]);
}

/** VeRA beside a linear layer. */
class VeraPart implements LowRankPart {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly #A: Tensor;
  readonly #B: Tensor;
  readonly #b: Tensor;
  readonly #d: Tensor;
  readonly #dropout: Dropout;

  /** A [R, in], B [out, R], b [out], d [R]. */
  constructor(
    shared: { readonly A: Tensor; readonly B: Tensor },
    own: { readonly b: Tensor; readonly d: Tensor },
    dropout: number,
  ) {
    this.#A = shared.A;
    this.#B = shared.B;
    this.#b = own.b;
    this.#d = own.d;
    this.#dropout = new Dropout(dropout);
    this.tensors = new Map([
      [LAMBDA_B, own.b],
      [LAMBDA_D, own.d],
    ]);
  }

  output(y: Tensor, x: Tensor, _base: BaseLayer, context: Context): Tensor {
    const low = linear(this.#dropout.call(x, context), this.#A).mul(this.#d); // [..., R]
    return y.add(linear(low, this.#B).mul(this.#b)); // [..., out]
  }

  /** d ⊙ A and b ⊙ B. */
  factors(): Factors {
    const A = this.#A.mul(this.#d.unsqueeze(1));
    return { A, B: this.#B.mul(this.#b.unsqueeze(1)), scale: 1 };
  }

  /** (b ⊙ B)·(d ⊙ A): [out, in]. */
  delta(): Tensor {
    const { A, B } = this.factors();
    return B.matmul(A);
  }

  merge({ weight, bias }: Weights, base: BaseLayer): Weights {
    return { weight: weight.cast('f32').add(inLayout(base, this.delta())), bias };
  }
}

function freshPart({ base, path, config, shared }: Place<VeraConfig>): VeraPart {
  const { out } = sizesOf(base, path);
  const filled = (length: number, value: number): Tensor =>
    tensor(new Float32Array(length).fill(value), [length]);
  const own = { b: filled(out, 0), d: filled(config.r, config.d_initial) };
  return new VeraPart(sharedFor({ base, path, config, shared }), own, config.vera_dropout);
}

function restorePart(place: Place<VeraConfig>, tensors: ReadonlyMap<string, Tensor>): VeraPart {
  const { base, path, config } = place;
  const { out } = sizesOf(base, path);
  const own = {
    b: expected(tensors, LAMBDA_B, [out], path),
    d: expected(tensors, LAMBDA_D, [config.r], path),
  };
  return new VeraPart(sharedFor(place), own, config.vera_dropout);
}

function expected(
  tensors: ReadonlyMap<string, Tensor>,
  key: string,
  shape: Shape,
  path: string,
): Tensor {
  const found = tensors.get(key);
  if (found && sameShape(found.shape, shape)) return found;
  throw new InputError(
    `the adapter's '${path}' has ${key} ${found ? showShape(found.shape) : 'missing'}, but needs ` +
      `${showShape(shape)}: was it trained for another model?`,
  );
}

/** The first columns of A and the first rows of B. */
function sharedFor({ base, path, config, shared }: Place<VeraConfig>): { A: Tensor; B: Tensor } {
  const { out, width } = sizesOf(base, path);
  const A = shared.get(SHARED_A);
  const B = shared.get(SHARED_B);
  const fits =
    A?.shape[0] === config.r &&
    A.shape[1]! >= width &&
    B?.shape[1] === config.r &&
    B.shape[0]! >= out;
  if (A && B && fits) return { A: A.slice(1, 0, width), B: B.slice(0, 0, out) };
  throw new InputError(
    `VeRA: '${path}' needs shared matrices of at least A [${config.r}, ${width}] and B [${out}, ${config.r}], but the ` +
      `adapter has ${A ? showShape(A.shape) : 'none'} and ${B ? showShape(B.shape) : 'none'}`,
  );
}

function sizesOf(base: BaseLayer, path: string): { out: number; width: number } {
  if (!isLinear(base)) throw new InputError(`VeRA: '${path}' is no linear layer`);
  return { out: base.outFeatures, width: base.inFeatures };
}
