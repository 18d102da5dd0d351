/** @file The MiniLM-shaped BERT in jax-js, with LoRA on query and value of some layers. */
import { numpy as np } from '@jax-js/jax';
import { ALPHA, BATCH, CONFIG, LENGTH, RANK } from '../../programs/minilm.mjs';
import { attention, dense, gelu, layerNorm } from './layers.mjs';

const { hidden_size: C, intermediate_size: WIDE, num_hidden_layers: LAYERS } = CONFIG;

const pair = (name, inputs, outputs) => [
  [`${name}.weight`, [inputs, outputs], 'normal'],
  [`${name}.bias`, [outputs], 'zero'],
];
const norm = (name) => [
  [`${name}.weight`, [C], 'one'],
  [`${name}.bias`, [C], 'zero'],
];
const adapter = (name) => [
  [`${name}.lora_A`, [C, RANK], 'normal'],
  [`${name}.lora_B`, [RANK, C], 'zero'],
];

/** `[name, shape, kind]` of all parameters; `adapted`: layers with LoRA. */
export function bertParameters(adapted) {
  const layer = (_, i) => [
    ...['query', 'key', 'value', 'output'].flatMap((name) => pair(`${i}.${name}`, C, C)),
    ...norm(`${i}.norm1`),
    ...pair(`${i}.up`, C, WIDE),
    ...pair(`${i}.down`, WIDE, C),
    ...norm(`${i}.norm2`),
    ...(adapted.includes(i) ? [...adapter(`${i}.query`), ...adapter(`${i}.value`)] : []),
  ];
  return [
    ['words', [CONFIG.vocab_size, C], 'normal'],
    ['positions', [CONFIG.max_position_embeddings, C], 'normal'],
    ['types', [CONFIG.type_vocab_size, C], 'normal'],
    ...norm('embedded'),
    ...Array.from({ length: LAYERS }, layer).flat(),
    ...pair('pooler', C, C),
    ...pair('classifier', C, 2),
  ];
}

/** Logits [B, 2] of ids [B·T]; layers whose `lora_A` is among the parameters are adapted. */
export function bertLogits(p, ids) {
  const take = (name) => [p[`${name}.weight`], p[`${name}.bias`]];
  const project = (x, name) => {
    const lora = p[`${name}.lora_A`];
    const base = dense(lora ? x.ref : x, ...take(name));
    if (!lora) return base;
    const narrow = np.matmul(x, lora);
    return base.add(np.matmul(narrow, p[`${name}.lora_B`]).mul(ALPHA / RANK));
  };
  let x = np
    .take(p.words, ids, 0)
    .reshape([BATCH, LENGTH, C])
    .add(p.positions.slice([0, LENGTH]));
  x = x.add(p.types.slice(0)).reshape([-1, C]);
  x = layerNorm(x, ...take('embedded'), CONFIG.layer_norm_eps);
  for (let i = 0; i < LAYERS; i++) {
    const parts = ['query', 'key', 'value'].map((name) => project(x.ref, `${i}.${name}`));
    const shape = { batch: BATCH, length: LENGTH, heads: CONFIG.num_attention_heads };
    const mixed = dense(attention(parts, shape), ...take(`${i}.output`));
    x = layerNorm(x.add(mixed), ...take(`${i}.norm1`), CONFIG.layer_norm_eps);
    // The tanh form, in its favour: it computes the gradient of the exact one inside the next product, 384 times over.
    const wide = gelu(dense(x.ref, ...take(`${i}.up`)), true);
    x = layerNorm(
      x.add(dense(wide, ...take(`${i}.down`))),
      ...take(`${i}.norm2`),
      CONFIG.layer_norm_eps,
    );
  }
  const first = x.reshape([BATCH, LENGTH, C]).slice([], 0); // [B, C]
  return dense(np.tanh(dense(first, ...take('pooler'))), ...take('classifier'));
}
