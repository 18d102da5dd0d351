/** @file jax-js (https://jax-js.com) under our names: our call's arguments in, its functions' results out. */
import { init, lax, nn, numpy as np } from '@jax-js/jax';

import { Unsupported } from './unsupported.mjs';

export const name = 'jax-js';

/** Opens the device that runs in Node without a GPU. */
export async function open() {
  // It asks `navigator` for a GPU before it looks at the name.
  globalThis.navigator ??= {};
  const devices = await init('wasm');
  if (!devices.includes('wasm'))
    throw new Error(`jax-js has no wasm device here: ${devices.join(', ')}`);
  const { defaultDevice } = await import('@jax-js/jax');
  defaultDevice('wasm');
}

const TYPES = { f32: np.float32, i32: np.int32, u32: np.uint32, bool: np.bool };

export function make({ data, shape, dtype }) {
  return np.array([...data], { dtype: TYPES[dtype] }).reshape([...shape]);
}

export async function read(value) {
  return [...(await value.data())].map(Number);
}

const same = (names) => Object.fromEntries(names.map((n) => [n, np[n]]));
/** A sort or a running total, which here have a direction and there have not. */
const forward =
  (f) =>
  (x, axis, options = false) => {
    if (options === true || options.exclusive || options.reverse) throw new Unsupported();
    return f(x, axis);
  };

const reduction = (f) => (x, axes, keepdims) => f(x, axes, { keepdims });

/** Our operation's name → a function of its operands. */
export const methods = {
  ...same([
    'add',
    'subtract',
    'maximum',
    'minimum',
    'exp',
    'log',
    'sqrt',
    'sin',
    'cos',
    'tanh',
    'abs',
    'floor',
  ]),
  ...same([
    'square',
    'reciprocal',
    'ceil',
    'sign',
    'trunc',
    'tan',
    'asin',
    'acos',
    'atan',
    'atan2',
    'sinh',
    'cosh',
  ]),
  ...same([
    'asinh',
    'acosh',
    'atanh',
    'exp2',
    'log2',
    'log10',
    'log1p',
    'expm1',
    'hypot',
    'remainder',
    'fmod',
  ]),
  ...same(['floorDivide', 'copysign', 'flip', 'roll', 'tril', 'triu']),
  ...same([
    'trace',
    'takeAlongAxis',
    'expandDims',
    'squeeze',
    'outer',
    'dot',
    'pow',
    'matmul',
    'round',
  ]),
  sub: np.subtract,
  mul: np.multiply,
  div: np.divide,
  neg: np.negative,
  lt: np.less,
  le: np.lessEqual,
  gt: np.greater,
  ge: np.greaterEqual,
  eq: np.equal,
  ne: np.notEqual,
  and: np.logicalAnd,
  or: np.logicalOr,
  not: np.logicalNot,
  logicalXor: np.logicalXor,
  bitwiseAnd: np.bitwiseAnd,
  bitwiseOr: np.bitwiseOr,
  bitwiseXor: np.bitwiseXor,
  isNaN: np.isnan,
  isInf: np.isinf,
  isFinite: np.isfinite,
  erf: lax.erf,
  erfc: lax.erfc,
  sigmoid: nn.sigmoid,
  relu: nn.relu,
  relu6: nn.relu6,
  silu: nn.silu,
  gelu: (x) => nn.gelu(x, { approximate: false }),
  geluTanh: (x) => nn.gelu(x, { approximate: true }),
  elu: nn.elu,
  celu: nn.celu,
  selu: nn.selu,
  mish: nn.mish,
  softplus: (x, beta = 1) => np.divide(nn.softplus(np.multiply(x, beta)), beta),
  cumsum: forward(np.cumsum),
  cumprod: forward(np.cumprod),
  sort: forward(np.sort),
  argsort: forward(np.argsort),
  softsign: nn.softSign,
  logSigmoid: nn.logSigmoid,
  hardsigmoid: nn.hardSigmoid,
  hardswish: nn.hardSwish,
  leakyRelu: nn.leakyRelu,
  sum: reduction(np.sum),
  mean: reduction(np.mean),
  max: reduction(np.max),
  min: reduction(np.min),
  prod: reduction(np.prod),
  any: reduction(np.any),
  all: reduction(np.all),
  argmax: np.argmax,
  argmin: np.argmin,
  softmax: nn.softmax,
  logSoftmax: nn.logSoftmax,
  logSumExp: (x, axes, keepdims) => nn.logsumexp(x, axes, { keepdims }),
  reshape: np.reshape,
  permute: np.transpose,
  transpose: np.swapaxes,
  expand: np.broadcastTo,
  unsqueeze: np.expandDims,
  gather: (x, indices) => np.take(x, indices, 0),
};

export const functions = {
  where: np.where,
  concat: np.concatenate,
  stack: np.stack,
  einsum: np.einsum,
};
