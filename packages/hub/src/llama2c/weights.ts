/** @file The weights of a llama2.c checkpoint under the names and in the layout of Hugging Face's Llama. */
import type { ByteSource } from '../bytes/source.ts';
import type { TensorData } from '../safetensors/types.ts';
import { weightOrder, type Llama2cSizes } from './checkpoint.ts';

/** Reads all weights; see `permuteRotary` for the one that changes. Throws `InputError` on a failed read. */
export async function readWeights(
  source: ByteSource,
  sizes: Llama2cSizes,
): Promise<Map<string, TensorData>> {
  const tensors = new Map<string, TensorData>();
  let offset = sizes.weightsStart;
  for (const { name, count, size } of weightOrder(sizes)) {
    for (let layer = 0; layer < count; layer++) {
      const target = targetOf(name, layer, sizes);
      if (target) tensors.set(target.name, await readWeight(source, offset, size, target, sizes));
      offset += 4 * size;
    }
  }
  return tensors;
}

interface Target {
  readonly name: string;
  readonly shape: readonly number[];
  /** Heads whose rows are to be reordered; 0 for none. */
  readonly rotaryHeads: number;
}

/** Name and shape at Hugging Face; matrices are [out, in]. Undefined for what is not kept. */
function targetOf(name: string, layer: number, sizes: Llama2cSizes): Target | undefined {
  const { dim, hiddenDim, heads, kvHeads, vocabulary } = sizes;
  const kvDim = (dim / heads) * kvHeads;
  const plain = (path: string, ...shape: number[]): Target => ({
    name: `${path}.weight`,
    shape,
    rotaryHeads: 0,
  });
  const block = (path: string, ...shape: number[]): Target =>
    plain(`model.layers.${layer}.${path}`, ...shape);
  switch (name) {
    case 'embedding':
      return plain('model.embed_tokens', vocabulary, dim);
    case 'output':
      return plain('lm_head', vocabulary, dim);
    case 'norm':
      return plain('model.norm', dim);
    case 'attention_norm':
      return block('input_layernorm', dim);
    case 'ffn_norm':
      return block('post_attention_layernorm', dim);
    case 'wq':
      return { ...block('self_attn.q_proj', dim, dim), rotaryHeads: heads };
    case 'wk':
      return { ...block('self_attn.k_proj', kvDim, dim), rotaryHeads: kvHeads };
    case 'wv':
      return block('self_attn.v_proj', kvDim, dim);
    case 'wo':
      return block('self_attn.o_proj', dim, dim);
    case 'w1':
      return block('mlp.gate_proj', hiddenDim, dim);
    case 'w2':
      return block('mlp.down_proj', dim, hiddenDim);
    case 'w3':
      return block('mlp.up_proj', hiddenDim, dim);
    default:
      return undefined;
  }
}

async function readWeight(
  source: ByteSource,
  offset: number,
  size: number,
  { shape, rotaryHeads }: Target,
  sizes: Llama2cSizes,
): Promise<TensorData> {
  const bytes = await source.read(offset, 4 * size);
  const data = new Float32Array(bytes.buffer);
  const rows = rotaryHeads > 0 ? permuteRotary(data, rotaryHeads, sizes.dim) : data;
  return { dtype: 'f32', shape, data: rows };
}

/**
 * Reorders the rows of a query or key matrix [H·D, C]: llama2.c rotates neighbouring pairs (2i, 2i+1) of a
 * head, Hugging Face rotates (i, i + D/2). Same model, other order (as Transformers'
 * `convert_llama_weights_to_hf.py` does).
 */
export function permuteRotary(matrix: Float32Array, heads: number, width: number): Float32Array {
  const rows = matrix.length / width;
  const headWidth = rows / heads;
  const out = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row++) {
    const inHead = row % headWidth;
    const half = headWidth / 2;
    const from = row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
    out.set(matrix.subarray(from * width, (from + 1) * width), row * width);
  }
  return out;
}
