/** @file The training steps of `programs/gpt.mjs` and `programs/minilm.mjs` in jax-js, each one `jit` function with AdamW. */
import { jit, nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax';
import * as gpt from '../../programs/gpt.mjs';
import * as minilm from '../../programs/minilm.mjs';
import { normals } from '../../programs/numbers.mjs';
import { bertLogits, bertParameters } from './bert.mjs';
import { gptLoss } from './gpt.mjs';
import { crossEntropy } from './small.mjs';

const [B1, B2, EPSILON] = [0.9, 0.999, 1e-8];

/** One AdamW update of a tensor, as PyTorch's; `correct` holds 1/(1 − β₁ᵗ) and 1/(1 − β₂ᵗ). */
function adamw(p, g, m, v, correct, { rate, decay }) {
  const m1 = m.mul(B1).add(g.ref.mul(1 - B1));
  const v1 = v.mul(B2).add(np.square(g).mul(1 - B2));
  const root = np.sqrt(v1.ref.mul(correct.second)).add(EPSILON);
  const change = m1.ref.mul(correct.first).div(root).mul(rate);
  return { p: p.mul(1 - rate * decay).sub(change), m: m1, v: v1 };
}

/** The trainer of `loss(parameters, frozen, data)`; trees are flat objects. */
function trainer(loss, parameters, frozen, data, settings) {
  const names = Object.keys(parameters);
  const step = jit((state, still, input, first, second) => {
    const own = Object.fromEntries(names.map((name) => [name, state.p[name].ref]));
    const [value, gradients] = valueAndGrad(loss)(own, still, input);
    const next = { p: {}, m: {}, v: {} };
    for (const name of names) {
      const { p, m, v } = state;
      const correct = { first: first.ref, second: second.ref };
      const updated = adamw(p[name], gradients[name], m[name], v[name], correct, settings);
      for (const key of ['p', 'm', 'v']) next[key][name] = updated[key];
    }
    first.dispose();
    second.dispose();
    return { value, next };
  });
  const zeros = () =>
    Object.fromEntries(names.map((name) => [name, np.zeros(parameters[name].shape)]));
  let state = { p: parameters, m: zeros(), v: zeros() };
  let count = 0;
  const run = async () => {
    count++;
    const corrections = [B1, B2].map((b) => np.array(1 / (1 - b ** count)));
    const { value, next } = step(state, tree.ref(frozen), data(), ...corrections);
    state = next;
    return (await value.data())[0];
  };
  return { run };
}

const integers = (values) => np.array(Int32Array.from(values), { dtype: np.int32 });

/** The GPT of the suite. */
export function gptStep(params) {
  const config = { ...gpt.GPT, ...params };
  const parameters = Object.fromEntries(
    gpt
      .initialParameters(config)
      .map(({ name, shape, data }) => [name, np.array(data).reshape(shape)]),
  );
  const ids = gpt.tokens(config);
  // The label of a position is the next token; the last of a row has none, that is, no class (its one-hot of −1 is ones).
  const labels = ids.map((_, i) =>
    (i + 1) % config.length === 0 ? config.vocabulary : ids[i + 1],
  );
  const data = () => ({ ids: integers(ids), labels: integers(labels) });
  const settings = { rate: gpt.LEARNING_RATE, decay: gpt.WEIGHT_DECAY };
  return trainer(gptLoss(config), parameters, {}, data, settings);
}

/**
 * The BERT of the suite, one of its variants. In the full one, word embeddings are not trained: their gradient as a
 * product with one-hot rows exceeds wasm's 4 GiB. That is in its favour.
 */
export function bertStep({ variant }) {
  const layers = minilm.VARIANTS[variant];
  const all = bertParameters(layers ?? []);
  const trains = (name) =>
    (layers === null && name !== 'words') ||
    name.includes('lora_') ||
    name.startsWith('classifier');
  const pick = (wanted) =>
    Object.fromEntries(
      all
        .filter(([name]) => trains(name) === wanted)
        .map(([name, shape, kind], i) => [name, initial(shape, kind, i)]),
    );
  const { inputIds, labels } = minilm.rows();
  const flat = inputIds.flat();
  const data = () => ({ ids: integers(flat), labels: integers(labels) });
  const loss = (trained, still, input) => {
    const logits = bertLogits({ ...trained, ...still }, input.ids);
    return crossEntropy(logits, nn.oneHot(input.labels, 2));
  };
  return trainer(loss, pick(true), pick(false), data, {
    rate: minilm.LEARNING_RATE,
    decay: 0.01,
  });
}

function initial(shape, kind, stream) {
  if (kind === 'one') return np.ones(shape);
  if (kind === 'zero') return np.zeros(shape);
  const size = shape.reduce((a, b) => a * b);
  return np.array(normals(size, 0.02, stream)).reshape(shape);
}
