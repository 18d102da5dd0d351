/**
 * @file What the laws draw with fast-check: shapes with zeros, ones and odd sizes; values inside an op's
 * domain; chains of views. Everything is derived from small integers, so that failures shrink and replay.
 */
import fc from 'fast-check';
import type { DType, Domain, Shape, Tensor } from '@camada/tensor';
import type { HostInput } from './devices.ts';

declare const process: { env: Record<string, string | undefined> } | undefined;

const environment = typeof process === 'undefined' ? {} : process.env;

/**
 * Options of `fc.assert`: a fixed seed, few runs. `CAMADA_LAW_RUNS=20` multiplies the runs, `CAMADA_LAW_SEED`
 * changes the seed, for a longer search by hand.
 */
export function runs(count: number): { seed: number; numRuns: number; endOnFailure: boolean } {
  const factor = Number(environment['CAMADA_LAW_RUNS'] ?? 1);
  const seed = Number(environment['CAMADA_LAW_SEED'] ?? 20261122);
  return { seed, numRuns: Math.ceil(count * factor), endOnFailure: false };
}

const SIZES = [1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 33, 0, 64, 65];

/** Elements of the largest tensor drawn. */
const LARGEST = 4096;

/** A shape of at most `rank` axes; an axis that would make it too large becomes 1. */
export function shapes(rank = 4, least = 0): fc.Arbitrary<number[]> {
  const size = fc.nat(SIZES.length - 1).map((i) => SIZES[i]!);
  return fc.array(size, { minLength: least, maxLength: rank }).map((shape) => {
    let total = 1;
    return shape.map((n) => {
      if (total * n > LARGEST) return 1;
      total *= Math.max(1, n);
      return n;
    });
  });
}

/** The same without empty axes. */
export function filledShapes(rank = 4, least = 0): fc.Arbitrary<number[]> {
  return shapes(rank, least).map((shape) => shape.map((n) => Math.max(1, n)));
}

/** A seed of values or choices. */
export const seeds = fc.nat(1_000_000);

/** A sequence of pseudo-random numbers in [0, 1). */
export function sequence(seed: number): () => number {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

/** A whole number below `limit` from a sequence. */
export function below(next: () => number, limit: number): number {
  return Math.floor(next() * limit);
}

/** A number inside a domain, away from its edges. Integers for integer types; u32 is never negative. */
export function draw(domain: Domain, dtype: DType, next: () => number): number {
  const u = next();
  if (dtype === 'bool' || domain === 'bool') return Number(u < 0.5);
  if (dtype === 'i32') return Math.floor(u * 201) - 100;
  if (dtype === 'u32') return Math.floor(u * 100);
  if (domain === 'positive') return 0.05 + u * 8;
  if (domain === 'nonzero') return u < 0.5 ? -0.1 - u * 8 : 0.1 + (u - 0.5) * 8;
  if (domain === 'small') return u * 6 - 3;
  if (domain === 'integer') return Math.floor(u * 11) - 5;
  return u * 8 - 4;
}

const ARRAYS = { f32: Float32Array, i32: Int32Array, u32: Uint32Array, bool: Uint32Array } as const;

/** A host tensor with values of a domain. */
export function values(
  shape: Shape,
  seed: number,
  domain: Domain = 'real',
  dtype: keyof typeof ARRAYS = 'f32',
): HostInput {
  const next = sequence(seed);
  const data = new ARRAYS[dtype](shape.reduce((product, n) => product * n, 1));
  for (let i = 0; i < data.length; i++) data[i] = draw(domain, dtype, next);
  return { data, shape, dtype };
}

const VIEW_KINDS = [
  'permute',
  'slice',
  'step',
  'flip',
  'expand',
  'pad',
  'spread',
  'shear',
  'join',
  'split',
  'unsqueeze',
] as const;

/** One view to apply: a kind and a seed of its parameters. */
export interface ViewStep {
  readonly kind: (typeof VIEW_KINDS)[number];
  readonly seed: number;
}

/** Chains of up to `length` views. */
export function viewChains(length = 4): fc.Arbitrary<ViewStep[]> {
  const kind = fc.constantFrom(...VIEW_KINDS);
  return fc.array(fc.record({ kind, seed: seeds }), { maxLength: length });
}

/** Applies a chain. Padding has value `fill`, so that it stays inside an op's domain. */
export function applyViews(x: Tensor, chain: readonly ViewStep[], fill = 1): Tensor {
  return chain.reduce((y, step) => VIEWS[step.kind](y, sequence(step.seed), fill), x);
}

type View = (x: Tensor, next: () => number, fill: number) => Tensor;

const VIEWS: Record<ViewStep['kind'], View> = {
  permute: (x, next) => x.permute(shuffled(x.rank, next)),
  slice: (x, next) => {
    if (x.rank === 0) return x;
    const axis = below(next, x.rank);
    const start = below(next, x.shape[axis]! + 1);
    const end = start + below(next, x.shape[axis]! - start + 1);
    return x.slice(axis, start, end);
  },
  step: (x, next) => {
    if (x.rank === 0) return x;
    const axis = below(next, x.rank);
    const size = x.shape[axis]!;
    const step = 2 + below(next, 3);
    if (next() < 0.5) return x.slice(axis, below(next, size + 1), size, step);
    return size === 0 ? x : x.slice(axis, -1 - below(next, size), undefined, -step);
  },
  flip: (x, next) => x.flip(x.shape.flatMap((_, axis) => (next() < 0.5 ? [axis] : []))),
  expand: (x, next) => {
    const times = 1 + below(next, 3);
    if (x.size * times > LARGEST) return x;
    const axis = x.shape.indexOf(1);
    if (axis < 0 || next() < 0.3) return x.expand([times, ...x.shape]);
    return x.expand(x.shape.map((n, i) => (i === axis ? times : n)));
  },
  pad: (x, next, fill) => {
    const before = x.shape.map(() => below(next, 3));
    const after = x.shape.map(() => below(next, 3));
    const size = x.shape.reduce((product, n, i) => product * (n + before[i]! + after[i]!), 1);
    return size > LARGEST ? x : x.pad(before, after, fill);
  },
  spread: (x, next, fill) => {
    const around = x.shape.map(() => below(next, 2));
    const interior = x.shape.map(() => below(next, 3));
    const sizes = x.shape.map((n, i) => n + 2 * around[i]! + Math.max(0, n - 1) * interior[i]!);
    const size = sizes.reduce((product, n) => product * n, 1);
    return size > LARGEST ? x : x.pad(around, around, fill, interior);
  },
  shear: (x, next) => {
    if (x.rank < 2) return x;
    const axis = below(next, x.rank);
    const along = (axis + 1 + below(next, x.rank - 1)) % x.rank;
    const by = below(next, 5) - 2;
    const fits = Math.abs(by) * Math.max(0, x.shape[along]! - 1) <= x.shape[axis]!;
    return fits ? x.shear(axis, along, by) : x;
  },
  join: (x, next) => {
    if (x.rank < 2) return x;
    const axis = below(next, x.rank - 1);
    return x.flatten(axis, axis + 1);
  },
  split: (x, next) => {
    const axis = x.shape.findIndex((n) => n > 3 && n % 2 === 0);
    if (axis < 0 || x.rank > 4) return x;
    const outer = next() < 0.5 ? 2 : x.shape[axis]! / 2;
    const parts = [outer, x.shape[axis]! / outer];
    return x.reshape([...x.shape.slice(0, axis), ...parts, ...x.shape.slice(axis + 1)]);
  },
  unsqueeze: (x, next) => (x.rank > 4 ? x : x.unsqueeze(below(next, x.rank + 1))),
};

/** A permutation of 0 … n − 1. */
function shuffled(n: number, next: () => number): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = below(next, i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
