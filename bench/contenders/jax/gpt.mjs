/** @file GPT-2's blocks in jax-js. */
import { nn, numpy as np } from '@jax-js/jax';
import { attention, dense, embed, gelu, layerNorm } from './layers.mjs';

const EPSILON = 1e-5;

function block(p, h, x, config) {
  const take = (name) => [p[`${h}.${name}.weight`], p[`${h}.${name}.bias`]];
  const width = config.width;
  const fused = dense(layerNorm(x.ref, ...take('ln_1'), EPSILON), ...take('attn.c_attn'));
  const parts = np.split(fused, 3, 1);
  const mixed = attention(parts, { ...config, isCausal: true }).reshape([-1, width]);
  x = x.add(dense(mixed, ...take('attn.c_proj')));
  const wide = dense(layerNorm(x.ref, ...take('ln_2'), EPSILON), ...take('mlp.c_fc'));
  return x.add(dense(gelu(wide, true), ...take('mlp.c_proj')));
}

/** The loss of parameters by name over `{ ids, labels }` [B·T]. */
export function gptLoss(config) {
  const { batch, length, layers, vocabulary, width } = config;
  return (p, _frozen, { ids, labels }) => {
    let x = embed(p['wte.weight'].ref, ids).reshape([batch, length, width]);
    x = x.add(p['wpe.weight']).reshape([-1, width]);
    for (let i = 0; i < layers; i++) x = block(p, `h.${i}`, x, config);
    x = layerNorm(x, p['ln_f.weight'], p['ln_f.bias'], EPSILON);
    const logits = np.matmul(x, np.transpose(p['wte.weight']));
    const hot = nn.oneHot(labels, vocabulary);
    return np.sum(nn.logSoftmax(logits, -1).mul(hot)).mul(-1 / (batch * (length - 1)));
  };
}
