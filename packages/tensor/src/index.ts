/** @file The public surface of @camada/tensor. */
export {
  CamadaError,
  DTypeError,
  DeviceError,
  IndexError,
  InputError,
  ShapeError,
  invariant,
} from './errors.ts';
export {
  bytesPerElement,
  computeType,
  dtypeOf,
  fromBf16,
  fromF16,
  hostArray,
  isFloat,
  promote,
  toBf16,
  toF16,
  type DType,
  type TypedArray,
} from './dtype.ts';
export {
  broadcastShapes,
  contiguousStrides,
  normalizeAxes,
  normalizeAxis,
  sameShape,
  showShape,
  sizeOf,
  type Shape,
} from './shape.ts';
export { bitsAt, foldKey, philox, uniformAt, type RandomKey } from './philox.ts';
export { ELEMENTWISE, type ElementwiseName } from './ops/elementwise.ts';
export { meaningOf, type Domain, type ElementwiseOp } from './ops/primitive.ts';
export { erf } from './ops/special.ts';
export type { AttrsOf, Node, NodeOf, OpName, Range } from './graph/node.ts';
export { NodeTable } from './graph/node-table.ts';
export type {
  AvgPoolOptions,
  ConvOptions,
  ConvTransposeOptions,
  PerAxis,
  WindowOptions,
} from './graph/composite/convolution.ts';
export type { PadMode } from './graph/composite/join.ts';
export type { Axes } from './methods/base.ts';
export type { ScanOptions } from './graph/composite/scan.ts';
export { Tensor, realize, type Operand } from './tensor.ts';
export {
  concat,
  customGradient,
  full,
  ones,
  scalar,
  stack,
  tensor,
  where,
  zeros,
} from './create.ts';
export {
  capture,
  invalidateCaptures,
  type CallNumbers,
  type CaptureOptions,
  type CapturedStep,
} from './capture/capture.ts';
export { einsum } from './einsum.ts';
export {
  randomBernoulli,
  randomBits,
  randomCategorical,
  randomExponential,
  randomGumbel,
  randomInteger,
  randomNormal,
  randomPermutation,
  randomUniform,
  type HostKey,
} from './random.ts';
export { arange, eye, linspace, meshgrid } from './grid.ts';
export { maskedSelect, nonzero } from './select.ts';
export { hostEffect, readNumber, type HostNumber } from './host-number.ts';
export { recomputable, type Recomputable } from './recompute.ts';
export {
  Device,
  device,
  memory,
  openDevice,
  resetDevice,
  useDevice,
  type DeviceOptions,
} from './device.ts';
export { estimate, type Estimate } from './estimate.ts';
export { explain } from './explain.ts';
export { upload, zeroBuffer } from './upload.ts';
export { narrowHalves, widenHalves, type HalfType } from './halves.ts';
export type { BackendInfo, BackendName, MemoryUse } from './backend/backend.ts';
