/**
 * @file Running totals along an axis, by doubling steps (Hillis & Steele, "Data parallel algorithms", 1986):
 * after step k each element holds its last 2ᵏ⁺¹. A long axis is cut into blocks; what comes before a
 * block is a scan of the blocks' totals. Gradients come by themselves, and are exact where there are zeros.
 */
import { isFloat, type DType } from '../../dtype.ts';
import { normalizeAxis } from '../../shape.ts';
import * as build from '../build.ts';
import type { Node } from '../node.ts';
import { takeAlongAxis } from './indexing.ts';
import { coordinate } from './join.ts';
import { literal } from './literal.ts';
import { flip, slice } from './movement.ts';
import { finite } from './softmax.ts';

const { elementwise } = build;

/** An associative operation and what changes nothing under it. */
interface Monoid {
  readonly combine: (before: Node, x: Node) => Node;
  readonly identity: number;
}

/** Elements scanned by doubling: the scheduler makes three steps one kernel, so a block is two kernels. */
const BLOCK = 64;

/** How a scan runs. */
export interface ScanOptions {
  /** From the end of the axis to its beginning. */
  readonly reverse?: boolean;
  /** Without the element itself: the first is the identity. */
  readonly exclusive?: boolean;
}

/** Elements moved `by` places along the axis, the identity before them. */
function delayed(x: Node, axis: number, by: number, identity: number): Node {
  const rest = slice(x, axis, 0, x.shape[axis]! - by, 1);
  const only = x.shape.map((_, i) => (i === axis ? by : 0));
  const none = x.shape.map(() => 0);
  return build.pad(rest, only, none, identity);
}

function doubling({ combine, identity }: Monoid, x: Node, axis: number): Node {
  let y = x;
  for (let by = 1; by < x.shape[axis]!; by *= 2) y = combine(delayed(y, axis, by, identity), y);
  return y;
}

/** A divisor of n near `BLOCK`, so that nothing need be padded; `BLOCK` where there is none. */
function blockOf(n: number): number {
  for (let block = BLOCK; block <= 2 * BLOCK; block++) if (n % block === 0) return block;
  for (let block = BLOCK; block >= BLOCK / 4; block--) if (n % block === 0) return block;
  return BLOCK;
}

function forward(monoid: Monoid, x: Node, axis: number): Node {
  const n = x.shape[axis]!;
  if (n <= 2 * BLOCK) return doubling(monoid, x, axis);
  const block = blockOf(n);
  const count = Math.ceil(n / block);
  const none = x.shape.map(() => 0);
  const missing = none.with(axis, count * block - n);
  const full = build.pad(x, none, missing, monoid.identity);
  const apart = build.reshape(full, x.shape.toSpliced(axis, 1, count, block));
  const inside = doubling(monoid, apart, axis + 1);
  const totals = slice(inside, axis + 1, block - 1, block, 1);
  const before = delayed(forward(monoid, totals, axis), axis, 1, monoid.identity);
  const joined = build.reshape(monoid.combine(before, inside), full.shape);
  return slice(joined, axis, 0, n, 1);
}

function scan(monoid: Monoid, x: Node, axis: number, options: ScanOptions = {}): Node {
  if (x.shape[axis] === 0) return x;
  const turned = options.reverse ? flip(x, [axis]) : x;
  const shifted = options.exclusive ? delayed(turned, axis, 1, monoid.identity) : turned;
  const result = forward(monoid, shifted, axis);
  return options.reverse ? flip(result, [axis]) : result;
}

/** Floats as f32 and bools as i32, which sums and products are computed in. */
function numeric(x: Node): Node {
  if (isFloat(x.dtype)) return build.cast(x, 'f32');
  return x.dtype === 'bool' ? build.cast(x, 'i32') : x;
}

const SUM: Monoid = { combine: (a, b) => elementwise('add', [a, b]), identity: 0 };
const PRODUCT: Monoid = { combine: (a, b) => elementwise('mul', [a, b]), identity: 1 };

/** Running sum along an axis. */
export function cumsum(x: Node, axis: number, options?: ScanOptions): Node {
  return scan(SUM, numeric(x), normalizeAxis('cumsum', axis, x.shape.length), options);
}

/** Running product along an axis. */
export function cumprod(x: Node, axis: number, options?: ScanOptions): Node {
  return scan(PRODUCT, numeric(x), normalizeAxis('cumprod', axis, x.shape.length), options);
}

/** The largest (or least) so far; for integers the identity is the end of their range. */
function extremum(name: 'cummax' | 'cummin', dtype: DType): Monoid {
  const op = name === 'cummax' ? 'maximum' : 'minimum';
  const [least, most] = RANGE[dtype === 'i32' || dtype === 'u32' ? dtype : 'f32'];
  return {
    combine: (a, b) => elementwise(op, [a, b]),
    identity: name === 'cummax' ? least : most,
  };
}

const RANGE = {
  f32: [-Infinity, Infinity],
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
} as const;

/**
 * Largest or smallest so far, and the index where it was last met. A NaN stays. The gradient goes to
 * the element at that index, as in PyTorch.
 */
export function cumExtremum(
  name: 'cummax' | 'cummin',
  x: Node,
  axis: number,
): [values: Node, indices: Node] {
  const a = normalizeAxis(name, axis, x.shape.length);
  const real = numeric(x);
  const best = scan(extremum(name, real.dtype), build.detach(real), a);
  const equal = elementwise('eq', [real, best]);
  const record = isFloat(real.dtype)
    ? elementwise('or', [equal, elementwise('isNaN', [real])])
    : equal;
  const first = build.constant(0, [], 'i32');
  const place = elementwise('where', [record, coordinate(x.shape, a), first]);
  const indices = scan(extremum('cummax', 'i32'), place, a);
  return [takeAlongAxis(real, indices, a), indices];
}

/** Running log Σ eˣ along an axis. */
export function logcumsumexp(x: Node, axis: number): Node {
  const a = normalizeAxis('logcumsumexp', axis, x.shape.length);
  return scan({ combine: logAddExp, identity: -Infinity }, build.cast(x, 'f32'), a);
}

/** log(eᵃ + eᵇ) of infinities too; its gradient needs the result only. */
function logAddExp(a: Node, b: Node): Node {
  const same = elementwise('eq', [a, b]);
  const gap = elementwise('where', [same, literal(0, a), elementwise('sub', [a, b])]);
  const small = elementwise('exp', [elementwise('neg', [elementwise('abs', [gap])])]);
  const more = elementwise('log1p', [small]);
  const value = elementwise('add', [elementwise('maximum', [a, b]), more]);
  return build.customGradient(value, [a, b], (_args, y, dy) => {
    const share = (x: Node): Node => elementwise('exp', [elementwise('sub', [x, finite(y)])]);
    return [elementwise('mul', [dy, share(a)]), elementwise('mul', [dy, share(b)])];
  });
}
