/**
 * @file What samples are drawn from. Everything comes from whole numbers, so a property-based test can
 * shrink a failing case, and a seed can repeat one.
 */
import type { Domain } from '../ops/primitive.ts';
import { sizeOf, type Shape } from '../shape.ts';
import type { ElementType, HostArray } from './host.ts';

/** Sizes of axes, simplest first: a shrunk case has small ones. */
const SIZES = [1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 0, 33] as const;

/** Elements of the largest array drawn. */
const LARGEST = 2048;

/** Largest seed of values. */
const SEEDS = 1_000_000;

/** Draws shapes, values and choices. */
export class Draw {
  /** A whole number from `least` to `most`, both included. */
  readonly int: (least: number, most: number) => number;
  private readonly largest: number;

  /** @param largest number of elements of an array whose shape is drawn. */
  constructor(int: (least: number, most: number) => number, largest: number = LARGEST) {
    this.int = int;
    this.largest = largest;
  }

  /** The same draws for the same seed. */
  static seeded(seed: number, largest: number = LARGEST): Draw {
    const next = sequence(seed);
    return new Draw((least, most) => least + Math.floor(next() * (most - least + 1)), largest);
  }

  /** One of several. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.int(0, choices.length - 1)]!;
  }

  /** Half of the time true. */
  flag(): boolean {
    return this.int(0, 1) === 1;
  }

  /** A shape of `least` to `most` axes with ones, odd sizes and, unless `filled`, zeros in it. */
  shape(least = 0, most = 4, filled = false, largest: number = this.largest): number[] {
    let total = 1;
    return Array.from({ length: this.int(least, most) }, () => {
      const size = this.pick(SIZES);
      const n = (filled && size === 0) || total * size > Math.min(largest, this.largest) ? 1 : size;
      total *= Math.max(1, n);
      return n;
    });
  }

  /** A shape that broadcasts to `shape`: some axes are 1, leading ones may be missing. */
  broadcastTo(shape: Shape): number[] {
    const kept = shape.slice(this.int(0, 2) === 2 ? this.int(0, shape.length) : 0);
    return kept.map((n) => (this.int(0, 3) === 3 ? 1 : n));
  }

  /** Some of the axes of a rank, ascending; at least one unless the rank is 0. */
  axes(rank: number): number[] {
    const chosen = Array.from({ length: rank }, (_, axis) => axis).filter(() => this.flag());
    return chosen.length > 0 || rank === 0 ? chosen : [this.int(0, rank - 1)];
  }

  /** An axis of a rank, at times counted from the end. */
  axis(rank: number): number {
    return this.int(0, rank - 1) - (this.flag() ? rank : 0);
  }

  /** An array with values inside a domain. */
  array(shape: Shape, dtype: ElementType = 'f32', domain: Domain = 'real'): HostArray {
    const next = sequence(this.int(0, SEEDS));
    const value = (): number => drawValue(domain, dtype, next);
    return { shape, dtype, data: Array.from({ length: sizeOf(shape) }, value) };
  }

  /** An array of f32 whose values are all different, at least 1/16 apart: no ties, no kinks in reach. */
  distinct(shape: Shape, dtype: ElementType = 'f32'): HostArray {
    const next = sequence(this.int(0, SEEDS));
    const order = Array.from({ length: sizeOf(shape) }, (_, i) => ({ i, key: next() }));
    order.sort((a, b) => a.key - b.key);
    const step = dtype === 'f32' ? 1 / 16 : 1;
    const data = new Array<number>(order.length);
    const low = dtype === 'u32' ? 0 : Math.floor(order.length / 2);
    order.forEach(({ i }, rank) => (data[i] = (rank - low) * step));
    return { shape, dtype, data };
  }

  /** An i32 array of indices below `limit`. */
  indices(shape: Shape, limit: number): HostArray {
    const next = sequence(this.int(0, SEEDS));
    const data = Array.from({ length: sizeOf(shape) }, () => Math.floor(next() * limit));
    return { shape, dtype: 'i32', data };
  }
}

/** A sequence of pseudo-random numbers in [0, 1). */
function sequence(seed: number): () => number {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

/** A number inside a domain, away from its edges, exact in f32. Whole for integer types; u32 is never negative. */
function drawValue(domain: Domain, dtype: ElementType, next: () => number): number {
  const u = next();
  if (dtype === 'bool' || domain === 'bool') return Number(u < 0.5);
  if (dtype === 'i32') return Math.floor(u * 201) - 100 || (domain === 'nonzero' ? 7 : 0);
  if (dtype === 'u32') return Math.floor(u * 100) || (domain === 'nonzero' ? 7 : 0);
  if (domain === 'integer') return Math.floor(u * 11) - 5;
  return Math.fround(drawReal(domain, u));
}

function drawReal(domain: Domain, u: number): number {
  if (domain === 'positive') return 0.05 + u * 8;
  if (domain === 'nonzero') return u < 0.5 ? -0.1 - u * 8 : 0.1 + (u - 0.5) * 8;
  if (domain === 'small') return u * 6 - 3;
  if (domain === 'unit') return u * 1.9 - 0.95;
  if (domain === 'aboveOne') return 1.05 + u * 8;
  return u * 8 - 4;
}
