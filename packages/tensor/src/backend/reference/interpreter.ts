/**
 * @file The oracle: evaluates graph nodes in f64 by the op table's own meaning, with plain loops. Slow and
 * obvious on purpose; every kernel of every other back end is tested against it.
 */
import { computeType, toElement, type DType } from '../../dtype.ts';
import type { Node, NodeOf, OpName } from '../../graph/node.ts';
import { ELEMENTWISE } from '../../ops/elementwise.ts';
import { meaningOf } from '../../ops/primitive.ts';
import { combiner, REDUCTIONS } from '../../ops/reduction.ts';
import { bitsAt, uniformAt } from '../../philox.ts';
import { contiguousStrides, sizeOf, type Shape } from '../../shape.ts';

/** Elements of a value, row-major, in f64. */
export type Values = Float64Array;

/** What a node's meaning may look at besides its inputs' values. */
export interface Scope {
  /** Memory of a leaf. */
  readonly leaf: (node: NodeOf<'buffer'>) => Values;
  /** Value of a host number. */
  readonly number: (node: NodeOf<'scalar'>) => number;
}

type Meaning<K extends OpName> = (
  node: NodeOf<K>,
  inputs: readonly Values[],
  scope: Scope,
) => Values;

const MEANING: { readonly [K in OpName]: Meaning<K> } = {
  buffer: (node, _inputs, scope) => scope.leaf(node),
  constant: (node) => new Float64Array(sizeOf(node.shape)).fill(node.attrs.value),
  scalar: (node, _inputs, scope) => Float64Array.of(scope.number(node)),
  iota: (node) => Float64Array.from({ length: sizeOf(node.shape) }, (_, i) => i),
  random: (node, [k0, k1]) => {
    const draw = node.dtype === 'u32' ? bitsAt : uniformAt;
    return generate(node.shape, (i) => draw(i, [k0![0]!, k1![0]!]));
  },
  elementwise,
  reduce,
  reshape: (_node, [x]) => x!,
  permute,
  expand,
  slice,
  pad,
  shear,
  matmul,
  gather,
  scatter,
  argsort,
  detach: (_node, [x]) => x!,
  barrier: (_node, [x]) => x!,
  customGradient: (_node, [x]) => x!,
};

/** Evaluates one node from the values of its inputs. */
export function evaluate(node: Node, inputs: readonly Values[], scope: Scope): Values {
  return (MEANING[node.op] as Meaning<OpName>)(node, inputs, scope);
}

function generate(shape: Shape, f: (index: number) => number): Values {
  const out = new Float64Array(sizeOf(shape));
  for (let i = 0; i < out.length; i++) out[i] = f(i);
  return out;
}

function elementwise(node: NodeOf<'elementwise'>, inputs: readonly Values[]): Values {
  const type = computeType(node.inputs.at(-1)!.dtype);
  const reference = meaningOf(ELEMENTWISE[node.attrs.name], type);
  const [a, b, c] = inputs as [Values, Values, Values];
  const finish = conversion(node);
  if (inputs.length === 1) return generate(node.shape, (i) => finish(reference(a[i]!)));
  if (inputs.length === 2) return generate(node.shape, (i) => finish(reference(a[i]!, b[i]!)));
  return generate(node.shape, (i) => finish(reference(a[i]!, b[i]!, c[i]!)));
}

/** Rounding that belongs to the type itself: integers wrap and truncate, storage types lose bits. */
function conversion(node: Node): (x: number) => number {
  const from = node.inputs[0]!.dtype;
  return CONVERT[node.dtype](computeType(from) === 'f32');
}

const CONVERT: Record<DType, (fromFloat: boolean) => (x: number) => number> = {
  f32: () => (x) => x,
  f16: () => (x) => toElement(x, 'f16'),
  bf16: () => (x) => toElement(x, 'bf16'),
  i32: (fromFloat) => (x) => (fromFloat ? toElement(x, 'i32') : x | 0),
  u32: (fromFloat) => (x) => (fromFloat ? toElement(x, 'u32') : x >>> 0),
  bool: () => (x) => toElement(x, 'bool'),
};

/** Calls `visit(outIndex, inIndex)` over a shape where the input is addressed by strides. */
function walk(
  shape: Shape,
  strides: readonly number[],
  offset: number,
  visit: (o: number, i: number) => void,
): void {
  const index = new Array<number>(shape.length).fill(0);
  const total = sizeOf(shape);
  let at = offset;
  for (let o = 0; o < total; o++) {
    visit(o, at);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
}

function strided(node: Node, x: Values, strides: readonly number[], offset = 0): Values {
  const out = new Float64Array(sizeOf(node.shape));
  walk(node.shape, strides, offset, (o, i) => (out[o] = x[i]!));
  return out;
}

function permute(node: NodeOf<'permute'>, [x]: readonly Values[]): Values {
  const strides = contiguousStrides(node.inputs[0]!.shape);
  return strided(
    node,
    x!,
    node.attrs.order.map((axis) => strides[axis]!),
  );
}

function expand(node: NodeOf<'expand'>, [x]: readonly Values[]): Values {
  const from = node.inputs[0]!.shape;
  const strides = contiguousStrides(from);
  return strided(
    node,
    x!,
    strides.map((s, axis) => (from[axis] === 1 ? 0 : s)),
  );
}

function slice(node: NodeOf<'slice'>, [x]: readonly Values[]): Values {
  const strides = contiguousStrides(node.inputs[0]!.shape);
  const { ranges } = node.attrs;
  const offset = ranges.reduce((sum, range, axis) => sum + range.start * strides[axis]!, 0);
  const steps = strides.map((stride, axis) => stride * ranges[axis]!.step);
  return strided(node, x!, steps, offset);
}

function pad(node: NodeOf<'pad'>, [x]: readonly Values[]): Values {
  const { before, interior, value } = node.attrs;
  const out = new Float64Array(sizeOf(node.shape)).fill(value);
  const strides = contiguousStrides(node.shape);
  const offset = before.reduce((sum, n, axis) => sum + n * strides[axis]!, 0);
  const spread = strides.map((stride, axis) => stride * (interior[axis]! + 1));
  walk(node.inputs[0]!.shape, spread, offset, (i, o) => (out[o] = x![i]!));
  return out;
}

function shear(node: NodeOf<'shear'>, [x]: readonly Values[]): Values {
  const { axis, along, by } = node.attrs;
  const strides = contiguousStrides(node.inputs[0]!.shape);
  const first = by < 0 ? -by * (node.shape[along]! - 1) * strides[axis]! : 0;
  strides[along]! += by * strides[axis]!;
  return strided(node, x!, strides, first);
}

function reduce(node: NodeOf<'reduce'>, [x]: readonly Values[]): Values {
  const from = node.inputs[0]!.shape;
  const combine = combiner(node.attrs.name, computeType(node.dtype));
  const { identity } = REDUCTIONS[node.attrs.name];
  const out = new Float64Array(sizeOf(node.shape)).fill(identity);
  const kept = contiguousStrides(node.shape);
  let next = 0;
  const strides = from.map((_, axis) => (node.attrs.axes.includes(axis) ? 0 : kept[next++]!));
  walk(from, strides, 0, (i, o) => (out[o] = combine(out[o]!, x![i]!)));
  return out;
}

function matmul(node: NodeOf<'matmul'>, [a, b]: readonly Values[]): Values {
  const [m, k] = node.inputs[0]!.shape.slice(-2) as [number, number];
  const n = node.shape.at(-1)!;
  const out = new Float64Array(sizeOf(node.shape));
  for (let row = 0; row < out.length / n; row++) {
    const bBase = Math.floor(row / m) * k * n;
    for (let i = 0; i < k; i++) {
      const left = a![row * k + i]!;
      for (let j = 0; j < n; j++) out[row * n + j]! += left * b![bBase + i * n + j]!;
    }
  }
  return out;
}

function gather(node: NodeOf<'gather'>, [table, indices]: readonly Values[]): Values {
  const rows = node.inputs[0]!.shape[0]!;
  const width = sizeOf(node.inputs[0]!.shape.slice(1));
  const out = new Float64Array(sizeOf(node.shape));
  indices!.forEach((index, i) => {
    const row = Math.min(rows - 1, Math.max(0, index));
    out.set(table!.subarray(row * width, (row + 1) * width), i * width);
  });
  return out;
}

function scatter(node: NodeOf<'scatter'>, [indices, updates]: readonly Values[]): Values {
  const [rows, width] = node.shape as [number, number];
  const out = new Float64Array(rows * width);
  const finish = CONVERT[node.dtype](false);
  indices!.forEach((row, i) => {
    if (row < 0 || row >= rows) return;
    for (let c = 0; c < width; c++) {
      const before = node.attrs.keep === 'sum' ? out[row * width + c]! : 0;
      out[row * width + c] = finish(before + updates![i * width + c]!);
    }
  });
  return out;
}

function argsort(node: NodeOf<'argsort'>, [x]: readonly Values[]): Values {
  const n = node.shape.at(-1)!;
  const turn = node.attrs.descending ? -1 : 1;
  const out = new Float64Array(x!.length);
  for (let start = 0; start < out.length; start += n) {
    const row = Array.from({ length: n }, (_, i) => i);
    row.sort((a, b) => turn * compare(x![start + a]!, x![start + b]!));
    out.set(row, start);
  }
  return out;
}

/** The order of numbers with NaN last. */
function compare(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : Number(a > b);
}
