/** @file The perceptron of the suite: 784-512-512-10, ReLU, cross-entropy, SGD, 64 rows uploaded at every step, the loss read. */
import { normals } from './numbers.mjs';

export const SIZES = [784, 512, 512, 10];
export const BATCH = 64;
export const LEARNING_RATE = 0.1;

/** Rows of one step, [64, 784]. */
export function pixels() {
  return Float32Array.from({ length: BATCH * SIZES[0] }, (_, i) => (i % 255) / 255);
}

/** Labels [64]. */
export const LABELS = Int32Array.from({ length: BATCH }, (_, i) => i % 10);

/** Weights [in, out] and biases [out] of the three layers. */
export function initialLayers() {
  return SIZES.slice(1).map((width, i) => ({
    weight: normals(SIZES[i] * width, Math.sqrt(2 / SIZES[i]), i),
    bias: new Float32Array(width),
    shape: [SIZES[i], width],
  }));
}
