/** @file The method LORA of PEFT, with DoRA: which part a layer gets, and how it begins. */
import { InputError, sameShape, showShape, type Shape, type Tensor } from '@camada/tensor';
import { isEmbedding, isLinear, linearWeight, type BaseLayer } from '../adapter/base.ts';
import type { LayerPart } from '../adapter/part.ts';
import type { LayerMethod, Place } from '../method/method.ts';
import { LAYER_KEYS } from '../peft/common.ts';
import { embeddingStart, isResidual, linearStart, residualStart, type Beginning } from './begin.ts';
import { LORA_KEYS, loraRecord, moduleScale, parseLora, type LoraConfig } from './config.ts';
import { DoraEmbeddingPart, DoraPart, MAGNITUDE, rowNorms } from './dora.ts';
import { EMBEDDING_A, EMBEDDING_B, LoraEmbeddingPart } from './lora-embedding.ts';
import { LORA_A, LORA_B, LoraPart } from './lora-part.ts';
import { leaf, type Start } from './pissa.ts';
import { ResidualPart, storedLora } from './residual.ts';

/** LoRA and DoRA, on linear layers and on the table of words. */
export const LORA: LayerMethod<LoraConfig> = {
  kind: 'layers',
  peftType: 'LORA',
  keys: [...LAYER_KEYS, ...LORA_KEYS],
  inert: [
    'megatron_core',
    'qalora_group_size',
    'runtime_config',
    'ensure_weight_tying',
    'loftq_config',
    'eva_config',
    'corda_config',
    'lora_ga_config',
  ],
  refused: [
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
  ],
  suffixes: [LORA_A, LORA_B, EMBEDDING_A, EMBEDDING_B, MAGNITUDE],
  parse: parseLora,
  record: loraRecord,
  wraps: (module): module is BaseLayer => isLinear(module) || isEmbedding(module),
  fresh: freshPart,
  restore: restorePart,
  stored: storedLora,
};

async function freshPart(place: Place<LoraConfig>, seed: number): Promise<LayerPart> {
  const { base, path, config } = place;
  const { init_lora_weights: init } = config;
  const beginning: Beginning = { path, seed, ...moduleScale(path, config) };
  if (isEmbedding(base)) {
    checkTable(path);
    return partOf(place, embeddingStart(base.weight.shape, init, beginning));
  }
  if (!isLinear(base)) throw new InputError(`LoRA: '${path}' is no linear layer`);
  if (!isResidual(init)) return partOf(place, linearStart(base, init, beginning));
  if (config.use_dora)
    throw new InputError(
      `LoRA: use_dora does not go with init_lora_weights "${init}" here; choose one of them`,
    );
  const start = await residualStart(base, init, beginning);
  const trained = { A: await leaf(start.A), B: await leaf(start.B) };
  return new ResidualPart(trained, start, numbersOf(place));
}

/** A part from A and B, with the magnitudes that leave the model as it is where DoRA asks for them. */
async function partOf(place: Place<LoraConfig>, { A, B }: Start): Promise<LayerPart> {
  if (!place.config.use_dora) return assemble(place, A, B);
  const plain = assemble(place, A, B);
  const v = directions(place.base).add(plain.delta());
  return assemble(place, A, B, await leaf(rowNorms(isEmbedding(place.base) ? v.transpose() : v)));
}

/** The weight in the layout of a part's delta: [out, in], of an embedding [V, C]. */
function directions(base: BaseLayer): Tensor {
  if (isLinear(base)) return linearWeight(base);
  if (isEmbedding(base)) return base.weight.cast('f32');
  throw new InputError('LoRA: the layer is neither linear nor an embedding');
}

function assemble(place: Place<LoraConfig>, A: Tensor, B: Tensor): LoraPart | LoraEmbeddingPart;
function assemble(place: Place<LoraConfig>, A: Tensor, B: Tensor, m: Tensor): LayerPart;
function assemble(place: Place<LoraConfig>, A: Tensor, B: Tensor, m?: Tensor): LayerPart {
  const numbers = numbersOf(place);
  if (isEmbedding(place.base))
    return m
      ? new DoraEmbeddingPart(A, B, m, numbers.scale)
      : new LoraEmbeddingPart(A, B, numbers.scale);
  return m ? new DoraPart(A, B, m, numbers) : new LoraPart(A, B, numbers);
}

function numbersOf({ path, config }: Place<LoraConfig>): { scale: number; dropout: number } {
  return { scale: moduleScale(path, config).scale, dropout: config.lora_dropout };
}

function restorePart(place: Place<LoraConfig>, tensors: ReadonlyMap<string, Tensor>): LayerPart {
  const { base, path, config } = place;
  const table = isEmbedding(base);
  if (table) checkTable(path);
  const A = tensors.get(table ? EMBEDDING_A : LORA_A);
  const B = tensors.get(table ? EMBEDDING_B : LORA_B);
  const m = tensors.get(MAGNITUDE);
  const count = config.use_dora ? 3 : 2;
  if (!A || !B || tensors.size !== count || (config.use_dora && !m))
    throw new InputError(
      `the adapter's module '${path}' has ${[...tensors.keys()].join(', ')}, but needs one A and one B` +
        `${config.use_dora ? ' and one magnitude vector' : ''}; save it again`,
    );
  checkShapes(place, A.shape, B.shape, m?.shape);
  return m ? assemble(place, A, B, m) : assemble(place, A, B);
}

/** Throws InputError unless A is [R, in], B [out, R] and m [out]; of an embedding [R, V], [C, R] and [C]. */
function checkShapes(place: Place<LoraConfig>, a: Shape, b: Shape, m: Shape | undefined): void {
  const { base, path, config } = place;
  const { r } = moduleScale(path, config);
  const [out = 0, width = 0] = isEmbedding(base)
    ? [...base.weight.shape].reverse()
    : directions(base).shape;
  const fits = sameShape(a, [r, width]) && sameShape(b, [out, r]) && (!m || sameShape(m, [out]));
  if (fits) return;
  const own = a[0] === r && b[1] === r;
  throw new InputError(
    `the adapter's '${path}' has A ${showShape(a)} and B ${showShape(b)}, but ` +
      (own
        ? `the model's weight is ${showShape([out, width])}: was it trained for another model?`
        : `rank ${r} asks for [${r}, in] and [out, ${r}]; the config and the tensors do not belong together`),
  );
}

/** Tables that models look words up in; the others (positions, types) they read as a whole. */
const WORDS: readonly string[] = ['embed_tokens', 'word_embeddings', 'tok_embeddings', 'wte'];

function checkTable(path: string): void {
  if (WORDS.some((name) => path.endsWith(name))) return;
  throw new InputError(
    `LoRA: '${path}' is a table that the model reads as a whole, which is not offered; adapt the table of words ` +
      `(${WORDS.join(', ')}), or train it in full with modules_to_save`,
  );
}
