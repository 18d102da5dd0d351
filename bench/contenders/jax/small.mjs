/** @file A product and the perceptron's step in jax-js. */
import { jit, nn, numpy as np, valueAndGrad } from '@jax-js/jax';
import { filled, operandShapes } from '../../programs/matmul.mjs';
import { BATCH, LABELS, LEARNING_RATE, SIZES, initialLayers, pixels } from '../../programs/mlp.mjs';

/** A run computes, waits and drops the result. */
export async function matmul(product) {
  const [a, b] = operandShapes(product).map((shape) =>
    np.array(filled(shape[0] * shape[1])).reshape(shape),
  );
  const { layout } = product;
  const oriented = (x, letter) => (letter === 'T' ? np.transpose(x) : x);
  const run = async () => {
    const c = np.matmul(oriented(a.ref, layout[0]), oriented(b.ref, layout[1]));
    await c.blockUntilReady();
    c.dispose();
  };
  return { run };
}

/** Mean cross-entropy of logits [B, V] with one-hot labels [B, V]; consumes both. */
export function crossEntropy(logits, hot) {
  const rows = logits.shape[0];
  return np.sum(nn.logSoftmax(logits, -1).mul(hot)).mul(-1 / rows);
}

function loss(layers, x, hot) {
  layers.forEach(({ weight, bias }, i) => {
    x = np.matmul(x, weight).add(bias);
    if (i < layers.length - 1) x = nn.relu(x);
  });
  return crossEntropy(x, hot);
}

const step = jit((layers, x, hot) => {
  const own = layers.map(({ weight, bias }) => ({ weight: weight.ref, bias: bias.ref }));
  const [value, gradients] = valueAndGrad(loss)(own, x, hot);
  const next = (old, gradient) => old.sub(gradient.mul(LEARNING_RATE));
  const updated = layers.map(({ weight, bias }, i) => ({
    weight: next(weight, gradients[i].weight),
    bias: next(bias, gradients[i].bias),
  }));
  return { value, updated };
});

/** A run is one step and gives its loss. */
export function mlp() {
  let layers = initialLayers().map(({ weight, bias, shape }) => ({
    weight: np.array(weight).reshape(shape),
    bias: np.array(bias),
  }));
  const rows = pixels();
  const hot = nn.oneHot(np.array(LABELS, { dtype: np.int32 }), SIZES.at(-1));
  const run = async () => {
    const x = np.array(rows).reshape([BATCH, SIZES[0]]);
    const { value, updated } = step(layers, x, hot.ref);
    layers = updated;
    return (await value.data())[0];
  };
  return { run };
}
