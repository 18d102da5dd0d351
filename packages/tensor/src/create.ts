/** @file Functions that make tensors or join several. */
import { dtypeOf, toBf16, toElement, toF16, type DType, type TypedArray } from './dtype.ts';
import { DTypeError, ShapeError } from './errors.ts';
import * as build from './graph/build.ts';
import { concat as concatNodes } from './graph/composite/join.ts';
import { hostNumber } from './graph/composite/literal.ts';
import { bufferNode, hostStorage, type CustomBackward, type Node } from './graph/node.ts';
import { numberNode, type HostNumber } from './host-number.ts';
import { normalizeAxis, showShape, sizeOf, type Shape } from './shape.ts';
import { Tensor, type Operand } from './tensor.ts';

/**
 * A tensor of host data, uploaded on first use. The array is not copied until then: do not change it.
 * Plain numbers are f32 unless `dtype` says otherwise. Throws ShapeError when shape and length differ.
 */
export function tensor(data: TypedArray | readonly number[], shape?: Shape, dtype?: DType): Tensor {
  const type = dtype ?? (ArrayBuffer.isView(data) ? dtypeOf(data) : 'f32');
  const sizes = shape ?? [data.length];
  if (sizeOf(sizes) !== data.length)
    throw new ShapeError(`tensor: ${data.length} elements do not fill shape ${showShape(sizes)}`);
  return Tensor.of(bufferNode(hostStorage(toHost(data, type), type), sizes));
}

/** The elements in the array type that `dtype` is stored from. */
function toHost(data: TypedArray | readonly number[], dtype: DType): TypedArray {
  if (dtype === 'f16' || dtype === 'bf16') {
    if (data instanceof Uint16Array) return data;
    return Uint16Array.from(data, dtype === 'f16' ? toF16 : toBf16);
  }
  if (data instanceof Uint16Array)
    throw new DTypeError(`tensor: a Uint16Array is f16 or bf16, not ${dtype}`);
  if (dtype === 'f32')
    return data instanceof Float32Array || data instanceof Float64Array
      ? data
      : Float32Array.from(data);
  const whole = data instanceof Int32Array || data instanceof Uint32Array;
  // Like a cast: integers are reread modulo 2³², other numbers saturate.
  const element = (x: number): number => (whole && dtype !== 'bool' ? x : toElement(x, dtype));
  if (dtype === 'i32') return data instanceof Int32Array ? data : Int32Array.from(data, element);
  if (dtype === 'u32' && data instanceof Uint32Array) return data;
  return Uint32Array.from(data, element);
}

/** A tensor of one value everywhere; the value is part of the compiled program. */
export function full(shape: Shape, value: number, dtype: DType = 'f32'): Tensor {
  return Tensor.of(build.constant(value, shape, dtype));
}

/** Zeros. */
export function zeros(shape: Shape, dtype: DType = 'f32'): Tensor {
  return full(shape, 0, dtype);
}

/** Ones. */
export function ones(shape: Shape, dtype: DType = 'f32'): Tensor {
  return full(shape, 1, dtype);
}

/**
 * A host number of shape []: data, so that another value needs no new program. Given a function, it is read
 * now, and again at each run of a captured step.
 */
export function scalar(value: HostNumber, dtype: DType = 'f32'): Tensor {
  return Tensor.of(numberNode(value, dtype));
}

/** x where the condition holds, else y; broadcasts. Numbers are data, of the other operand's type. */
export function where(condition: Tensor, x: Operand, y: Operand): Tensor {
  const like = typeof x === 'number' ? y : x;
  const type = typeof like === 'number' ? 'f32' : like.dtype;
  const node = (v: Operand): Node => (typeof v === 'number' ? hostNumber(v, type) : v.node);
  return Tensor.of(build.elementwise('where', [condition.node, node(x), node(y)]));
}

/** Joins tensors along an axis. */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  return Tensor.of(
    concatNodes(
      tensors.map((x) => x.node),
      axis,
    ),
  );
}

/** Joins tensors of one shape along a new axis. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const rank = tensors[0]?.rank ?? 0;
  const a = normalizeAxis('stack', axis, rank + 1);
  return concat(
    tensors.map((x) => x.unsqueeze(a)),
    a,
  );
}

/**
 * `value` with a gradient rule of its own: given `args` (from which `value` was computed), the value and its
 * gradient, `backward` returns the gradient of each argument, in its shape; where `wanted` is false any
 * tensor of that shape will do. What `value` was made from gets no gradient through it otherwise.
 */
export function customGradient(
  value: Tensor,
  args: readonly Tensor[],
  backward: (
    args: readonly Tensor[],
    value: Tensor,
    gradient: Tensor,
    wanted: readonly boolean[],
  ) => readonly Tensor[],
): Tensor {
  const rule: CustomBackward = (nodes, y, dy, wanted) =>
    backward(nodes.map(Tensor.of), Tensor.of(y), Tensor.of(dy), wanted).map((x) => x.node);
  return Tensor.of(
    build.customGradient(
      value.node,
      args.map((x) => x.node),
      rule,
    ),
  );
}
