/**
 * @file The GPT-2 block model of the suite: 6 layers, C 384, H 6, V 4096, tied head, B 8, T 64, one fixed batch, AdamW with
 * lr 1e-3 and decay 0.01 on everything, no dropout. `contenders/torch.py` has the same numbers.
 */
import { normals } from './numbers.mjs';

export const GPT = { layers: 6, width: 384, heads: 6, vocabulary: 4096, batch: 8, length: 64 };
export const LEARNING_RATE = 1e-3;
export const WEIGHT_DECAY = 0.01;

/** Parameters of the given model: `[name, shape, kind]`, kind `normal`, `zero` or `one`, in a fixed order. */
export function parameterList({ layers, width: c, vocabulary, length } = GPT) {
  const norm = (name) => [
    [`${name}.weight`, [c], 'one'],
    [`${name}.bias`, [c], 'zero'],
  ];
  const dense = (name, inputs, outputs) => [
    [`${name}.weight`, [inputs, outputs], 'normal'],
    [`${name}.bias`, [outputs], 'zero'],
  ];
  const block = (h) => [
    ...norm(`${h}.ln_1`),
    ...dense(`${h}.attn.c_attn`, c, 3 * c),
    ...dense(`${h}.attn.c_proj`, c, c),
    ...norm(`${h}.ln_2`),
    ...dense(`${h}.mlp.c_fc`, c, 4 * c),
    ...dense(`${h}.mlp.c_proj`, 4 * c, c),
  ];
  return [
    ['wte.weight', [vocabulary, c], 'normal'],
    ['wpe.weight', [length, c], 'normal'],
    ...Array.from({ length: layers }, (_, i) => block(`h.${i}`)).flat(),
    ...norm('ln_f'),
  ];
}

/**
 * Initial values: N(0, 0.02), zeros and ones.
 * @returns {{ name: string, shape: number[], data: Float32Array }[]}
 */
export function initialParameters(config = GPT) {
  return parameterList(config).map(([name, shape, kind], stream) => {
    const size = shape.reduce((a, b) => a * b);
    const data =
      kind === 'normal'
        ? normals(size, 0.02, stream)
        : new Float32Array(size).fill(kind === 'one' ? 1 : 0);
    return { name, shape, data };
  });
}

/** Token ids [B·T] of the fixed batch; labels are the ids themselves, each predicted from those before it. */
export function tokens({ batch, length, vocabulary } = GPT) {
  let state = 1;
  return Int32Array.from({ length: batch * length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state % vocabulary;
  });
}
