/**
 * @file Index arithmetic of the scheduler. A loop axis may be split in two when a reshape cuts it; every
 * expression that names the axis stays valid, since it is resolved to the parts only at the end.
 */
import { contiguousStrides, type Shape } from '../shape.ts';
import { identity } from './identity.ts';
import type { Affine, ValueId } from './kernel.ts';

/** A loop axis, by identity; or an index that a value of the kernel gives. */
export class Axis {
  readonly size: number;
  /** The value that is this index, where no loop runs along it. Such an axis is never split. */
  readonly value: ValueId | undefined;
  /** Outer and inner part once split: index = outer · inner.size + inner. */
  parts: readonly [Axis, Axis] | undefined = undefined;

  constructor(size: number, value?: ValueId) {
    this.size = size;
    this.value = value;
  }
}

/** `offset + Σ coefficient · axis`. */
export interface Expr {
  readonly offset: number;
  readonly terms: ReadonlyMap<Axis, number>;
}

/** An index that is always `n`. */
export function constantExpr(n: number): Expr {
  return { offset: n, terms: new Map() };
}

/** The index of an axis; axes of size 1 are the constant 0. */
export function axisExpr(axis: Axis): Expr {
  return { offset: 0, terms: axis.size === 1 ? new Map() : new Map([[axis, 1]]) };
}

/** a + k·b. */
export function addScaled(a: Expr, b: Expr, k: number): Expr {
  const terms = new Map(a.terms);
  for (const [axis, coefficient] of b.terms)
    terms.set(axis, (terms.get(axis) ?? 0) + coefficient * k);
  return { offset: a.offset + b.offset * k, terms };
}

/** The unsplit axes that an axis consists of now, outermost first. */
export function leaves(axis: Axis): Axis[] {
  return axis.parts ? axis.parts.flatMap(leaves) : axis.size === 1 ? [] : [axis];
}

/** The same expression over unsplit axes; zero terms dropped. */
export function resolve(expr: Expr): Expr {
  if ([...expr.terms].every(([axis, c]) => !axis.parts && c !== 0)) return expr;
  const terms = new Map<Axis, number>();
  const place = (axis: Axis, c: number): void => {
    if (c === 0 || axis.size === 1) return;
    if (!axis.parts) return void terms.set(axis, (terms.get(axis) ?? 0) + c);
    place(axis.parts[0], c * axis.parts[1].size);
    place(axis.parts[1], c);
  };
  for (const [axis, c] of expr.terms) place(axis, c);
  return { offset: expr.offset, terms };
}

/** Equal expressions have equal keys, until an axis is split. */
export function keyOf(expr: Expr): string {
  const terms = [...resolve(expr).terms].map(([axis, c]) => [identity(axis), c] as const);
  return `${expr.offset}+${terms.sort((a, b) => a[0] - b[0]).join('+')}`;
}

/** Row-major address of an index. */
export function linearize(index: readonly Expr[], shape: Shape): Expr {
  const strides = contiguousStrides(shape);
  return index.reduce((sum, expr, axis) => addScaled(sum, expr, strides[axis]!), constantExpr(0));
}

/**
 * The index whose row-major address under `shape` is `linear`, splitting loop axes where a size of
 * `shape` cuts them; undefined when the address does not fall apart into one affine index an axis.
 */
export function delinearize(linear: Expr, shape: Shape): Expr[] | undefined {
  const { offset, terms } = resolve(linear);
  const strides = contiguousStrides(shape);
  const digits = strides.map((s, axis) => Math.floor(offset / s) % shape[axis]!);
  const parts = shape.map((): Map<Axis, number> => new Map());
  const queue = [...terms];
  while (queue.length > 0) {
    const [axis, c] = queue.pop()!;
    const j = strides.findIndex((s, i) => shape[i]! > 1 && s <= c && c < s * shape[i]!);
    if (c < 0 || j < 0 || c % strides[j]! !== 0) return undefined;
    const limit = strides[j]! * shape[j]!;
    if (c * axis.size <= limit) parts[j]!.set(axis, c / strides[j]!);
    else {
      const inner = limit / c;
      const whole = Number.isInteger(inner) && axis.size % inner === 0;
      if (!whole || axis.value !== undefined) return undefined;
      axis.parts = [new Axis(axis.size / inner), new Axis(inner)];
      queue.push([axis.parts[0], c * inner], [axis.parts[1], c]);
    }
  }
  const index = parts.map((map, axis): Expr => ({ offset: digits[axis]!, terms: map }));
  const fits = index.every((expr, axis) => largest(expr) < shape[axis]!);
  const whole =
    offset >= 0 && digits.reduce((sum, d, axis) => sum + d * strides[axis]!, 0) === offset;
  return fits && whole ? index : undefined;
}

/**
 * The index under shape `to` of what has `index` under shape `from`. Both are cut into runs of axes of equal size;
 * where a run is one axis of `to` its index is the run's address, whatever that is: it may stand outside
 * where a guard keeps it from being read. Undefined where a run does not fall apart.
 */
export function reindexed(index: readonly Expr[], from: Shape, to: Shape): Expr[] | undefined {
  const long = (shape: Shape): number[] => shape.flatMap((n, axis) => (n === 1 ? [] : [axis]));
  const [left, right] = [long(from), long(to)];
  const result = to.map(() => constantExpr(0));
  while (left.length > 0) {
    const [outer, inner] = nextRun(from, to, left, right);
    const linear = linearize(
      outer.map((axis) => index[axis]!),
      outer.map((axis) => from[axis]!),
    );
    const sizes = inner.map((axis) => to[axis]!);
    const parts = inner.length === 1 ? [linear] : delinearize(linear, sizes);
    if (!parts) return undefined;
    inner.forEach((axis, i) => (result[axis] = parts[i]!));
  }
  return result;
}

/** Takes the fewest leading axes of both lists that hold as many elements. */
function nextRun(from: Shape, to: Shape, left: number[], right: number[]): [number[], number[]] {
  const runs: [number[], number[]] = [[left.shift()!], [right.shift()!]];
  let [a, b] = [from[runs[0][0]!]!, to[runs[1][0]!]!];
  while (a !== b) {
    const [list, run, shape] = a < b ? [left, runs[0], from] : [right, runs[1], to];
    const axis = list.shift()!;
    run.push(axis);
    if (a < b) a *= shape[axis]!;
    else b *= shape[axis]!;
  }
  return runs;
}

function largest(expr: Expr): number {
  let max = expr.offset;
  for (const [axis, c] of expr.terms) max += c * (axis.size - 1);
  return max;
}

/** Largest whole number that divides both. */
export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** True when `expr` takes every value 0 … size−1 exactly once as `axes` run. */
export function isBijection(expr: Expr, axes: readonly Axis[], size: number): boolean {
  const { offset, terms } = resolve(expr);
  if (offset !== 0 || terms.size !== axes.length || axes.some((axis) => !terms.has(axis)))
    return false;
  let next = 1;
  for (const [axis, c] of [...terms].sort((a, b) => a[1] - b[1])) {
    if (c !== next) return false;
    next *= axis.size;
  }
  return next === size;
}

/** expr / n where that is affine too: every coefficient and the offset are multiples of n. */
export function divided(expr: Expr, n: number): Expr | undefined {
  const { offset, terms } = resolve(expr);
  if (offset % n !== 0 || [...terms.values()].some((c) => c % n !== 0)) return undefined;
  return { offset: offset / n, terms: new Map([...terms].map(([axis, c]) => [axis, c / n])) };
}

/** The part over loop axes, and the terms over computed indices. */
export function separate(expr: Expr): { loops: Expr; computed: (readonly [Axis, number])[] } {
  const { offset, terms } = resolve(expr);
  const computed = [...terms].filter(([axis]) => axis.value !== undefined);
  const loops = new Map([...terms].filter(([axis]) => axis.value === undefined));
  return { loops: { offset, terms: loops }, computed };
}

/** The coefficients over a list of unsplit axes. */
export function toAffine(expr: Expr, axes: readonly Axis[]): Affine {
  const { offset, terms } = resolve(expr);
  return { offset, strides: axes.map((axis) => terms.get(axis) ?? 0) };
}
