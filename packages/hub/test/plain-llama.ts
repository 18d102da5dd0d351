/**
 * @file A Llama in plain loops, in Hugging Face's layout, for one purpose: to show that a converted folder
 * holds the model (above all that the rotary rows are where they belong). Formulas: arXiv 2302.13971,
 * rotary embeddings arXiv 2104.09864, grouped queries arXiv 2305.13245.
 */
import { toFloat32, type ModelFolder } from '@camada/hub';

/** Weights and sizes. */
export interface PlainLlama {
  readonly weight: (name: string) => Float32Array;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly theta: number;
  readonly epsilon: number;
}

/** Reads a Llama folder. */
export async function loadPlainLlama({ config, tensors }: ModelFolder): Promise<PlainLlama> {
  const weights = new Map<string, Float32Array>();
  for (const name of tensors.names) weights.set(name, toFloat32(await tensors.read(name)));
  return {
    weight: (name) => weights.get(`${name}.weight`) ?? new Float32Array(0),
    layers: config.integer('num_hidden_layers'),
    heads: config.integer('num_attention_heads'),
    kvHeads: config.integer('num_key_value_heads'),
    theta: config.number('rope_theta'),
    epsilon: config.number('rms_norm_eps'),
  };
}

/** Continues a prompt to `length` ids, the likeliest token each time. */
export function greedy(model: PlainLlama, prompt: readonly number[], length: number): number[] {
  const ids = [...prompt];
  const cache: Cache = Array.from({ length: model.layers }, () => ({ keys: [], values: [] }));
  for (let position = 0; position < length; position++) {
    const logits = step(model, ids[position] ?? 0, position, cache);
    if (position + 1 >= ids.length) ids.push(logits.indexOf(Math.max(...logits)));
  }
  return ids;
}

type Cache = { readonly keys: number[][]; readonly values: number[][] }[];

/** Logits [V] after one more token. */
function step(model: PlainLlama, id: number, position: number, cache: Cache): number[] {
  const embedding = model.weight('model.embed_tokens');
  const width = model.weight('model.norm').length;
  let x = Array.from(embedding.subarray(id * width, (id + 1) * width)); // [C]
  for (let layer = 0; layer < model.layers; layer++) {
    const at = `model.layers.${layer}.`;
    x = add(
      x,
      attention(model, at, norm(model, `${at}input_layernorm`, x), position, cache[layer]),
    );
    x = add(x, feedForward(model, at, norm(model, `${at}post_attention_layernorm`, x)));
  }
  return multiply(embedding, norm(model, 'model.norm', x)); // [V]
}

function attention(
  model: PlainLlama,
  at: string,
  x: readonly number[],
  position: number,
  cache: Cache[number] | undefined,
): number[] {
  const project = (name: string): number[] => multiply(model.weight(`${at}self_attn.${name}`), x);
  const headWidth = x.length / model.heads;
  const queries = rotate(project('q_proj'), headWidth, position, model.theta);
  const { keys, values } = cache ?? { keys: [], values: [] };
  keys.push(rotate(project('k_proj'), headWidth, position, model.theta));
  values.push(project('v_proj'));
  const out: number[] = [];
  for (let head = 0; head < model.heads; head++) {
    const shared = Math.floor((head * model.kvHeads) / model.heads) * headWidth;
    const query = queries.slice(head * headWidth, (head + 1) * headWidth);
    const scores = keys.map((key) => dot(query, key, shared) / Math.sqrt(headWidth));
    const weights = softmax(scores);
    for (let d = 0; d < headWidth; d++) {
      out.push(weights.reduce((sum, w, t) => sum + w * (values[t]?.[shared + d] ?? 0), 0));
    }
  }
  return multiply(model.weight(`${at}self_attn.o_proj`), out);
}

function feedForward(model: PlainLlama, at: string, x: readonly number[]): number[] {
  const gate = multiply(model.weight(`${at}mlp.gate_proj`), x);
  const up = multiply(model.weight(`${at}mlp.up_proj`), x);
  const hidden = gate.map((g, i) => (g / (1 + Math.exp(-g))) * (up[i] ?? 0));
  return multiply(model.weight(`${at}mlp.down_proj`), hidden);
}

/** Rotates (i, i + D/2) of every head by position · theta^(−2i/D): the layout of Hugging Face. */
function rotate(
  x: readonly number[],
  headWidth: number,
  position: number,
  theta: number,
): number[] {
  const half = headWidth / 2;
  return x.map((value, i) => {
    const inHead = i % headWidth;
    const angle = position * theta ** (-(2 * (inHead % half)) / headWidth);
    const partner = inHead < half ? -(x[i + half] ?? 0) : (x[i - half] ?? 0);
    return value * Math.cos(angle) + partner * Math.sin(angle);
  });
}

function norm(model: PlainLlama, name: string, x: readonly number[]): number[] {
  const mean = x.reduce((sum, value) => sum + value * value, 0) / x.length;
  const scale = 1 / Math.sqrt(mean + model.epsilon);
  const weight = model.weight(name);
  return x.map((value, i) => value * scale * (weight[i] ?? 0));
}

function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const exps = scores.map((score) => Math.exp(score - largest));
  const total = exps.reduce((sum, value) => sum + value, 0);
  return exps.map((value) => value / total);
}

function dot(a: readonly number[], b: readonly number[], offset: number): number {
  return a.reduce((sum, value, i) => sum + value * (b[offset + i] ?? 0), 0);
}

function add(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, i) => value + (b[i] ?? 0));
}

/** A matrix [out, in] in row-major order times a vector [in]. */
function multiply(matrix: Float32Array, x: readonly number[]): number[] {
  return Array.from({ length: matrix.length / x.length }, (_, row) => {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += (matrix[row * x.length + i] ?? 0) * (x[i] ?? 0);
    return sum;
  });
}
