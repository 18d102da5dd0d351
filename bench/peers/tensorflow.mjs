/** @file TensorFlow.js (core with its plain CPU back end) under our names. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';

import { Unsupported } from './unsupported.mjs';

export const name = 'TensorFlow.js';

export async function open() {
  await tf.setBackend('cpu');
}

const TYPES = { f32: 'float32', i32: 'int32', u32: 'int32', bool: 'bool' };

export function make({ data, shape, dtype }) {
  return tf.tensor([...data], [...shape], TYPES[dtype]);
}

export async function read(value) {
  return [...(await value.data())].map(Number);
}

const all = { ...tf };
const same = (names) => Object.fromEntries(names.map((n) => [n, all[n]]));

/** Its softmax knows the last axis only. */
function lastOnly(x, axis) {
  if (axis !== -1 && axis !== x.rank - 1) throw new Unsupported();
  return axis;
}

/** Our operation's name → a function of its operands. */
export const methods = {
  ...same([
    'add',
    'sub',
    'mul',
    'div',
    'pow',
    'maximum',
    'minimum',
    'neg',
    'exp',
    'log',
    'sqrt',
    'rsqrt',
    'abs',
  ]),
  ...same([
    'reciprocal',
    'sin',
    'cos',
    'tanh',
    'erf',
    'floor',
    'square',
    'ceil',
    'sign',
    'round',
    'tan',
    'asin',
  ]),
  ...same([
    'acos',
    'atan',
    'atan2',
    'sinh',
    'cosh',
    'asinh',
    'acosh',
    'atanh',
    'log1p',
    'expm1',
    'sigmoid',
    'relu',
  ]),
  ...same(['relu6', 'selu', 'logSigmoid', 'sum', 'mean', 'max', 'min', 'prod']),
  ...same(['logSumExp', 'reshape', 'expandDims', 'isNaN', 'isInf', 'isFinite']),
  ...same(['dot', 'logicalXor']),
  elu: (x, alpha = 1) => {
    if (alpha !== 1) throw new Unsupported();
    return tf.elu(x);
  },
  leakyRelu: (x, slope = 0.01) => tf.leakyRelu(x, slope),
  softplus: (x, beta = 1) => tf.div(tf.softplus(tf.mul(x, beta)), beta),
  any: (x, axes, keep) => tf.any(tf.cast(x, 'bool'), axes, keep),
  all: (x, axes, keep) => tf.all(tf.cast(x, 'bool'), axes, keep),
  cumsum: (x, axis, { exclusive, reverse }) => tf.cumsum(x, axis, exclusive, reverse),
  cumprod: (x, axis, { exclusive, reverse }) => tf.cumprod(x, axis, exclusive, reverse),
  softmax: (x, axis) => tf.softmax(x, lastOnly(x, axis)),
  logSoftmax: (x, axis) => tf.logSoftmax(x, lastOnly(x, axis)),
  lt: tf.less,
  le: tf.lessEqual,
  gt: tf.greater,
  ge: tf.greaterEqual,
  eq: tf.equal,
  ne: tf.notEqual,
  and: tf.logicalAnd,
  or: tf.logicalOr,
  not: tf.logicalNot,
  remainder: tf.mod,
  floorDivide: tf.floorDiv,
  argmax: tf.argMax,
  argmin: tf.argMin,
  permute: tf.transpose,
  expand: tf.broadcastTo,
  unsqueeze: tf.expandDims,
  flip: tf.reverse,
  pad: (x, before, after, value) =>
    tf.pad(
      x,
      before.map((n, i) => [n, after[i]]),
      value,
    ),
  gather: (x, indices) => tf.gather(x, indices),
  matmul: (x, y) => tf.matMul(x, y),
  outer: tf.outerProduct,
};

export const functions = {
  where: tf.where,
  concat: tf.concat,
  stack: tf.stack,
  einsum: tf.einsum,
};
