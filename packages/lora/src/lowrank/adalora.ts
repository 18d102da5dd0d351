/**
 * @file AdaLoRA: y + (alpha / R)·B·(E ⊙ A)·x, an update in the form of a singular value decomposition of which the
 * least important triplets are switched off while training (Zhang et al. 2023, https://arxiv.org/abs/2303.10512);
 * names, initial values and files as in PEFT (`tuners/adalora`). E begins as zero, so the model is unchanged at first.
 */
import type { JsonRecord } from '@camada/hub';
import { Dropout, linear, normal, parameterKey, type Context } from '@camada/nn';
import { InputError, sameShape, showShape, tensor, type Tensor } from '@camada/tensor';
import {
  inLayout,
  isLinear,
  type BaseLayer,
  type LinearBase,
  type Weights,
} from '../adapter/base.ts';
import type { Factors, LayerPart, LowRankPart } from '../adapter/part.ts';
import type { LayerMethod, Place, Stored } from '../method/method.ts';
import { LAYER_KEYS } from '../peft/common.ts';
import { ADALORA_KEYS, parseAdaLora, type AdaLoraConfig } from './adalora-config.ts';

const A_KEY = 'lora_A';
const B_KEY = 'lora_B';
const E_KEY = 'lora_E';

/** AdaLoRA on linear layers. Training it takes a `RankAllocator`. */
export const ADALORA: LayerMethod<AdaLoraConfig> = {
  kind: 'layers',
  peftType: 'ADALORA',
  keys: [...LAYER_KEYS, ...ADALORA_KEYS],
  inert: ['r', 'runtime_config', 'megatron_core', 'qalora_group_size', 'loftq_config'],
  refused: ['use_dora', 'use_rslora', 'lora_bias', 'alpha_pattern', 'layer_replication'],
  suffixes: [A_KEY, B_KEY, E_KEY],
  parse: parseAdaLora,
  record: ({ exclude_modules, ...known }): JsonRecord => ({
    ...known,
    init_lora_weights: true,
    r: 8,
    ...(exclude_modules?.length ? { exclude_modules } : {}),
  }),
  wraps: (module): module is LinearBase => isLinear(module),
  fresh: freshPart,
  restore: restorePart,
  stored: storedRanks,
};

/** AdaLoRA beside a linear layer. */
export class AdaLoraPart implements LowRankPart {
  /** Right singular vectors A [R, in]. */
  readonly A: Tensor;
  /** Left singular vectors B [out, R]. */
  readonly B: Tensor;
  /** Singular values E [R, 1]. */
  readonly E: Tensor;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Which triplets the allocator has left on, 1 or 0: [R, 1]. */
  readonly mask: Tensor;
  readonly #scale: number;
  readonly #dropout: Dropout;

  constructor(
    { A, B, E }: Readonly<Record<'A' | 'B' | 'E', Tensor>>,
    { lora_alpha, lora_dropout, init_r }: AdaLoraConfig,
  ) {
    this.A = A;
    this.B = B;
    this.E = E;
    this.mask = tensor(new Float32Array(E.size).fill(1), E.shape);
    this.tensors = new Map([
      [A_KEY, A],
      [B_KEY, B],
      [E_KEY, E],
    ]);
    // PEFT divides by the rank that the layer began with, also when it has fewer triplets left.
    this.#scale = lora_alpha / (init_r + 1e-5);
    this.#dropout = new Dropout(lora_dropout);
  }

  output(y: Tensor, x: Tensor, _base: BaseLayer, context: Context): Tensor {
    if (this.A.size === 0) return y;
    const low = linear(this.#dropout.call(x, context), this.A.mul(this.E)); // [..., R]
    return y.add(linear(low.mul(this.#scale), this.B)); // [..., out]
  }

  /** E ⊙ A, B and alpha / R. */
  factors(): Factors {
    return { A: this.A.mul(this.E), B: this.B, scale: this.#scale };
  }

  /** (alpha / R)·B·(E ⊙ A): [out, in]. */
  delta(): Tensor {
    return this.B.matmul(this.A.mul(this.E)).mul(this.#scale);
  }

  merge({ weight, bias }: Weights, base: BaseLayer): Weights {
    if (this.A.size === 0) return { weight, bias };
    return { weight: weight.cast('f32').add(inLayout(base, this.delta())), bias };
  }
}

function freshPart({ base, path, config }: Place<AdaLoraConfig>, seed: number): AdaLoraPart {
  const { out, width } = sizesOf(base, path);
  const r = config.init_r;
  const draw = (name: string, shape: readonly [number, number]): Tensor =>
    normal(shape, 0.02, parameterKey(seed, `${path}.${name}`));
  const E = tensor(new Float32Array(r), [r, 1]);
  return new AdaLoraPart({ A: draw(A_KEY, [r, width]), B: draw(B_KEY, [out, r]), E }, config);
}

function restorePart(
  { base, path, config }: Place<AdaLoraConfig>,
  tensors: ReadonlyMap<string, Tensor>,
): AdaLoraPart {
  const { out, width } = sizesOf(base, path);
  const r = rankOf(path, config);
  const [A, B, E] = [tensors.get(A_KEY), tensors.get(B_KEY), tensors.get(E_KEY)];
  const fits = A && B && E && sameShape(A.shape, [r, width]) && sameShape(B.shape, [out, r]);
  if (fits && sameShape(E.shape, [r, 1])) return new AdaLoraPart({ A, B, E }, config);
  const shown = [A, B, E].map((x) => (x ? showShape(x.shape) : 'none')).join(', ');
  throw new InputError(
    `the adapter's '${path}' has A, B, E of shapes ${shown}, but rank ${r} and the model's layer ask for ` +
      `[${r}, ${width}], [${out}, ${r}], [${r}, 1]: do config, tensors and model belong together?`,
  );
}

function sizesOf(base: BaseLayer, path: string): { out: number; width: number } {
  if (!isLinear(base)) throw new InputError(`AdaLoRA: '${path}' is no linear layer`);
  return { out: base.outFeatures, width: base.inFeatures };
}

function rankOf(path: string, { rank_pattern, init_r }: AdaLoraConfig): number {
  const kept = rank_pattern?.[`${path}.${E_KEY}`];
  return kept ? kept.filter(Boolean).length : init_r;
}

/** Only the triplets that are on are stored, and `rank_pattern` says which they were. */
async function storedRanks(
  config: AdaLoraConfig,
  layers: ReadonlyMap<string, LayerPart>,
): Promise<Stored<AdaLoraConfig>> {
  const pattern: Record<string, readonly boolean[]> = { ...config.rank_pattern };
  const stored = new Map<string, ReadonlyMap<string, Tensor>>();
  for (const [path, part] of layers) {
    const mask = part instanceof AdaLoraPart ? await part.mask.data() : new Float32Array();
    const kept = Array.from(mask, (on) => on === 1);
    const whole = kept.every(Boolean);
    stored.set(path, whole ? part.tensors : await pruned(part.tensors, kept));
    if (!whole) pattern[`${path}.${E_KEY}`] = kept;
  }
  const rank_pattern = Object.keys(pattern).length > 0 ? pattern : null;
  return { config: { ...config, rank_pattern }, layers: stored };
}

async function pruned(
  tensors: ReadonlyMap<string, Tensor>,
  kept: readonly boolean[],
): Promise<Map<string, Tensor>> {
  const result = new Map<string, Tensor>();
  for (const [key, x] of tensors) result.set(key, await keepOnAxis(x, key === B_KEY ? 1 : 0, kept));
  return result;
}

/** The places of an axis of a matrix that are kept. */
async function keepOnAxis(x: Tensor, axis: 0 | 1, kept: readonly boolean[]): Promise<Tensor> {
  const [rows = 0, columns = 0] = x.shape;
  const values = (await x.data()).filter(
    (_, i) => kept[axis === 0 ? Math.floor(i / columns) : i % columns],
  );
  const left = kept.filter(Boolean).length;
  return tensor(values, axis === 0 ? [left, columns] : [rows, left]);
}
