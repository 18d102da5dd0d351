/** @file Layers over packed weights in the place of those that a checkpoint packs, or that are to be quantised. */
import { InputError, upload, widenHalves } from '@camada/tensor';
import { Conv1D } from '../layers/conv1d.ts';
import { Embedding } from '../layers/embedding.ts';
import { Linear } from '../layers/linear.ts';
import { checkFits, namedModules, setModule, type Module } from '../module.ts';
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
  readonly layer: Linear | Conv1D | Embedding;
  readonly source: string;
}

/** Names of the layers whose precision decides most: bitsandbytes leaves them alone too. */
const OUTPUT = /(^|\.)(lm_head|score|classifier|classifier\.out_proj|decoder|vocab_projector)$/;

/**
 * Replaces layers of the model whose weight the file packs, or that are to be quantised, one by one. Returns the
 * parameters that need not be loaded any more. A Conv1D (GPT-2) becomes a linear layer, as bitsandbytes makes it one.
 * Throws InputError when there is nothing to quantise.
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
  if (options.quantize && done.size === 0)
    throw new InputError(
      `nothing to quantise to ${options.quantize}: no linear layer below the output has a multiple of ${BLOCK} inputs`,
    );
  return done;
}

function places(model: Module, sources: ReadonlyMap<string, string>): Place[] {
  return [...namedModules(model)].flatMap(([path, layer]) => {
    const source = sources.get(`${path}.weight`);
    const fits = layer instanceof Linear || layer instanceof Conv1D || layer instanceof Embedding;
    return fits && source !== undefined ? [{ path, layer, source }] : [];
  });
}

function packedLayer(
  layer: Place['layer'],
  weight: QuantizedWeight,
): QuantizedLinear | QuantizedEmbedding {
  return layer instanceof Embedding
    ? new QuantizedEmbedding(weight)
    : new QuantizedLinear(weight, layer.bias);
}

async function packedWeight(
  { path, layer, source }: Place,
  file: WeightFile,
  options: PackOptions,
  books: Books,
): Promise<QuantizedWeight | undefined> {
  const stored = layer.weight.shape as readonly [number, number];
  const turned = layer instanceof Conv1D; // stored [in, out]
  const shape = turned ? ([stored[1], stored[0]] as const) : stored;
  if (shape[1] % BLOCK !== 0) return undefined;
  if (options.packed && !turned) {
    const blocks = await file.packed?.(source);
    if (blocks && PACKED_TYPES.includes(blocks.type)) {
      checkFits(`${path}.weight`, blocks.shape, shape);
      return fromBlocks(blocks);
    }
  }
  if (!options.quantize || layer instanceof Embedding || OUTPUT.test(path)) return undefined;
  const entry = await file.read(source);
  checkFits(`${path}.weight`, entry.shape, stored);
  const data = turned ? transposed(numbers(entry), stored) : numbers(entry);
  return quantize(options.quantize, data, shape, books);
}

/** [rows, columns] as [columns, rows]. */
function transposed(data: Float32Array, [rows, columns]: readonly [number, number]): Float32Array {
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      out[column * rows + row] = data[row * columns + column]!;
  return out;
}

function numbers({ dtype, data }: WeightEntry): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof Uint16Array) return widenHalves(data, dtype === 'f16' ? 'f16' : 'bf16');
  return Float32Array.from(data);
}
