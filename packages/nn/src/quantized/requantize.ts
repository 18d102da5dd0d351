/** @file Merged numbers back into packed weights, with what that costs. */
import { InputError } from '@camada/tensor';
import type { Module } from '../module.ts';
import { setModule } from '../module.ts';
import { packedLayers } from './inspect.ts';
import { QuantizedLinear } from './layers.ts';
import { QUANTIZATIONS, createBooks, quantize, type Quantization } from './quantize.ts';

/** What packing did to one weight. */
export interface QuantizationError {
  /** Path of the layer. */
  readonly path: string;
  /** Largest difference of an element. */
  readonly largest: number;
  /** Root of the mean squared difference, over that of the weight. */
  readonly relative: number;
}

/**
 * Packs every linear layer in which numbers stand in for the packed weight (a merged adapter), and frees them. The
 * result differs from the numbers: by how much is returned. Throws InputError where a layer was packed by a format that
 * is only read, unless `how` names another.
 */
export async function requantize(model: Module, how?: Quantization): Promise<QuantizationError[]> {
  const errors: QuantizationError[] = [];
  const books = createBooks();
  for (const [path, layer] of packedLayers(model)) {
    if (!(layer instanceof QuantizedLinear) || !layer.numbers) continue;
    const format = how ?? written(layer.packed.parts.format, path);
    const numbers = Float32Array.from(await layer.numbers.data());
    const packed = quantize(format, numbers, layer.packed.shape, books);
    errors.push({ path, ...difference(numbers, await packed.transposed().transpose().data()) });
    setModule(model, path, new QuantizedLinear(packed, layer.bias));
    layer.numbers.dispose();
  }
  return errors;
}

function written(format: string, path: string): Quantization {
  const found = QUANTIZATIONS.find((name) => name === format);
  if (found) return found;
  throw new InputError(
    `'${path}' is packed as ${format}, which is only read; say how to pack it: ${QUANTIZATIONS.join(' or ')}`,
  );
}

function difference(
  wanted: ArrayLike<number>,
  found: ArrayLike<number>,
): Pick<QuantizationError, 'largest' | 'relative'> {
  let [largest, off, all] = [0, 0, 0];
  for (let i = 0; i < wanted.length; i++) {
    const d = found[i]! - wanted[i]!;
    largest = Math.max(largest, Math.abs(d));
    off += d * d;
    all += wanted[i]! ** 2;
  }
  return { largest, relative: all === 0 ? 0 : Math.sqrt(off / all) };
}
