/** @file TensorFlow.js (core with its plain CPU back end) under our names. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';

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

const same = (names) => Object.fromEntries(names.map((n) => [n, tf[n]]));

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
  ...same([
    'relu6',
    'elu',
    'selu',
    'leakyRelu',
    'softplus',
    'logSigmoid',
    'sum',
    'mean',
    'max',
    'min',
    'prod',
  ]),
  ...same([
    'any',
    'all',
    'logSumExp',
    'softmax',
    'reshape',
    'expandDims',
    'isNaN',
    'isInf',
    'isFinite',
    'cumsum',
  ]),
  ...same(['cumprod', 'dot', 'logSoftmax', 'logicalXor']),
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
