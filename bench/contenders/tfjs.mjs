/** @file TensorFlow.js as a contender: `node tfjs.mjs wasm` or `node tfjs.mjs webgpu ADAPTER`. */
import { createRequire } from 'node:module';
import { pretendBrowser } from '../harness/browser.mjs';
import { serve } from '../harness/serve.mjs';
import { filled, operandShapes } from '../programs/matmul.mjs';
import { BATCH, LABELS, LEARNING_RATE, SIZES, initialLayers, pixels } from '../programs/mlp.mjs';

const [device, adapter] = process.argv.slice(2);
if (device === 'webgpu') await pretendBrowser(adapter);
// Its gradients are registered by the whole package only, and its modules load in Node as CommonJS only.
const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs');
require(`@tensorflow/tfjs-backend-${device}`);
if (!(await tf.setBackend(device))) throw new Error(`TensorFlow.js has no ${device} device here`);

/** wasm computes at once; WebGPU is waited for by reading one number. */
const finish = async (x) => {
  if (device === 'webgpu') await tf.tidy(() => tf.slice(x.flatten(), 0, 1)).data();
};

function matmul(product) {
  const [a, b] = operandShapes(product).map((shape) =>
    tf.tensor(filled(shape[0] * shape[1]), shape),
  );
  const [ta, tb] = [...product.layout].map((letter) => letter === 'T');
  const run = async () => {
    const c = tf.matMul(a, b, ta, tb);
    await finish(c);
    c.dispose();
  };
  return { run, release: () => tf.dispose([a, b]) };
}

function mlp() {
  const layers = initialLayers().map(({ weight, bias, shape }) => ({
    weight: tf.variable(tf.tensor(weight, shape)),
    bias: tf.variable(tf.tensor(bias)),
  }));
  const rows = pixels();
  const hot = tf.oneHot(tf.tensor1d(LABELS, 'int32'), SIZES.at(-1));
  const optimizer = tf.train.sgd(LEARNING_RATE);
  const loss = () => {
    let x = tf.tensor(rows, [BATCH, SIZES[0]]);
    layers.forEach(({ weight, bias }, i) => {
      x = tf.add(tf.matMul(x, weight), bias);
      if (i < layers.length - 1) x = tf.relu(x);
    });
    return tf.losses.softmaxCrossEntropy(hot, x);
  };
  const run = async () => {
    const value = optimizer.minimize(loss, true);
    const [number] = await value.data();
    value.dispose();
    return number;
  };
  return { run };
}

serve({ matmul, mlp });
