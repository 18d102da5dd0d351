/** @file How far an op on a device may be from the f64 reference when both start from the same inputs. */
import { isFloat, type DType } from '../dtype.ts';
import type { Node } from '../graph/node.ts';
import { ELEMENTWISE } from '../ops/elementwise.ts';
import { evaluate, type Scope, type Values } from '../backend/reference/interpreter.ts';
import { sizeOf } from '../shape.ts';

/** Half a unit in the last place of 1. */
const ROUNDING: Record<DType, number> = {
  f32: 2 ** -24,
  f16: 2 ** -11,
  bf16: 2 ** -8,
  i32: 0,
  u32: 0,
  bool: 0,
};

/** Smallest normal f32: devices may take smaller numbers for 0. */
const TINY = 2 ** -126;

/**
 * The largest error of each element. Elementwise ops: what their record says, relative to 1 + |reference|. Sums of n
 * terms, products and scatters: (n + 8)/2²⁴ · Σ|terms| (Higham 2002, section 4.2, first order; 8 for what a
 * device rounds besides). Everything else moves or chooses elements and is exact.
 */
export function errorBound(
  node: Node,
  inputs: readonly Values[],
  scope: Scope,
  expected: Values,
): (element: number) => number {
  const storage = ROUNDING[node.dtype];
  const stored = (i: number): number => storage * Math.abs(expected[i]!) + TINY;
  if (!isFloat(node.dtype)) return () => 0;
  if (node.op === 'elementwise') {
    const { tolerance } = ELEMENTWISE[node.attrs.name];
    return (i) => tolerance * (1 + Math.abs(expected[i]!)) + stored(i);
  }
  const terms = termCount(node);
  if (terms === 0) return stored;
  const size = evaluate(
    node,
    inputs.map((values, i) => (isFloat(node.inputs[i]!.dtype) ? values.map(Math.abs) : values)),
    scope,
  );
  return (i) => (terms + 8) * ROUNDING.f32 * size[i]! + stored(i);
}

/** Numbers that are added or multiplied to one element at most. */
function termCount(node: Node): number {
  const [first] = node.inputs;
  if (node.op === 'matmul') return first!.shape.at(-1)!;
  if (node.op === 'scatter') return node.attrs.keep === 'sum' ? sizeOf(first!.shape) : 0;
  if (node.op !== 'reduce' || node.attrs.name === 'max' || node.attrs.name === 'min') return 0;
  return node.attrs.axes.reduce((n, axis) => n * first!.shape[axis]!, 1);
}
