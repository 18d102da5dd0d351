/** @file Layers over packed weights in the place of those that a checkpoint packs, or that are to be quantised. */
import { upload, widenHalves } from '@camada/tensor';
import { Embedding } from '../layers/embedding.ts';
import { Linear } from '../layers/linear.ts';
import { namedModules, setModule, type Module } from '../module.ts';
import type { WeightEntry, WeightFile } from '../models/weight-file.ts';
import { PACKED_TYPES, fromBlocks } from './blocks.ts';
import { QuantizedEmbedding, QuantizedLinear } from './layers.ts';
import { createBooks, quantize, type Books, type Quantization } from './quantize.ts';
import { BLOCK, type QuantizedWeight } from './weight.ts';

/** What becomes packed. */
export interface PackOptions {
  /** Keep what the file packs as it is. */
  readonly packed?: boolean | undefined;
  /** Quantise linear layers, but those that compute a model's output. */
  readonly quantize?: Quantization | undefined;
  /** Called with the name of each parameter that is done. */
  readonly onPacked?: (name: string) => void;
}

/** A layer that a packed weight may take over, and where its weight is in the file. */
interface Place {
  readonly path: string;
  readonly layer: Linear | Embedding;
  readonly source: string;
}

/** Names of the layers whose precision decides most: bitsandbytes leaves them alone too. */
const OUTPUT = /(^|\.)(lm_head|score|classifier|out_proj|decoder|vocab_projector|qa_outputs)$/;

/**
 * Replaces layers of the model whose weight the file packs, or that are to be quantised, one by one. Returns the
 * parameters that need not be loaded any more.
 * @param sources names in the file by parameter.
 */
export async function packLayers(
  model: Module,
  file: WeightFile,
  sources: ReadonlyMap<string, string>,
  options: PackOptions,
): Promise<Set<string>> {
  const done = new Set<string>();
  const books = createBooks();
  for (const place of places(model, sources)) {
    const weight = await packedWeight(place, file, options, books);
    if (!weight) continue;
    for (const plane of weight.tensors) await upload(plane);
    setModule(model, place.path, packedLayer(place.layer, weight));
    done.add(`${place.path}.weight`);
    options.onPacked?.(`${place.path}.weight`);
  }
  return done;
}

function places(model: Module, sources: ReadonlyMap<string, string>): Place[] {
  return [...namedModules(model)].flatMap(([path, layer]) => {
    const source = sources.get(`${path}.weight`);
    const fits = layer instanceof Linear || layer instanceof Embedding;
    return fits && source !== undefined ? [{ path, layer, source }] : [];
  });
}

function packedLayer(
  layer: Linear | Embedding,
  weight: QuantizedWeight,
): QuantizedLinear | QuantizedEmbedding {
  return layer instanceof Linear
    ? new QuantizedLinear(weight, layer.bias)
    : new QuantizedEmbedding(weight);
}

async function packedWeight(
  { path, layer, source }: Place,
  file: WeightFile,
  options: PackOptions,
  books: Books,
): Promise<QuantizedWeight | undefined> {
  const shape = layer.weight.shape as readonly [number, number];
  if (shape[1] % BLOCK !== 0) return undefined;
  if (options.packed) {
    const blocks = await file.packed?.(source);
    if (blocks && PACKED_TYPES.includes(blocks.type)) return fromBlocks(blocks);
  }
  if (!options.quantize || layer instanceof Embedding || OUTPUT.test(path)) return undefined;
  return quantize(options.quantize, numbers(await file.read(source)), shape, books);
}

function numbers({ dtype, data }: WeightEntry): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof Uint16Array) return widenHalves(data, dtype === 'f16' ? 'f16' : 'bf16');
  return Float32Array.from(data);
}
