/** @file Map, row and matmul kernels made at random, against the interpreter: axes, strides, dtypes, stages. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toBf16, toF16, type DType } from '../../src/dtype.ts';
import type { ElementwiseName } from '../../src/ops/elementwise.ts';
import type { Affine, Kernel, Stage, Store, Value, ValueId } from '../../src/schedule/kernel.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { openWasm } from '../../src/backend/wasm/index.ts';
import {
  decoderOf,
  host,
  numbers,
  reference,
  runWasm,
  worstError,
  type HostBuffer,
} from './harness.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
});
afterAll(() => backend.dispose());

class Dice {
  readonly next: () => number;
  constructor(seed: number) {
    this.next = numbers(seed * 7919 + 13);
    for (let i = 0; i < 5; i++) this.next();
  }
  /** An integer in [0, n). */
  below(n: number): number {
    return Math.min(n - 1, Math.floor(((this.next() + 1) / 2) * n));
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

const UNARY: readonly ElementwiseName[] = ['neg', 'exp', 'tanh', 'abs', 'sin', 'erf'];
const BINARY: readonly ElementwiseName[] = ['add', 'sub', 'mul', 'maximum', 'minimum'];
const encode = (dtype: DType, x: number): number => {
  if (dtype === 'f16') return toF16(x);
  return dtype === 'bf16' ? toBf16(x) : x;
};

/** Strides over `loop` in a random order of the axes, some of them broadcast; and the elements they span. */
function randomAddress(dice: Dice, loop: readonly number[], broadcast: boolean): [Affine, number] {
  const order = loop.map((_, axis) => axis);
  if (dice.below(3) === 0) order.sort(() => dice.next());
  const strides = new Array<number>(loop.length).fill(0);
  let size = 1;
  for (const axis of [...order].reverse()) {
    if (broadcast && dice.below(4) === 0) continue;
    strides[axis] = size;
    size *= loop[axis]!;
  }
  const offset = dice.below(3);
  return [{ offset, strides }, size + offset];
}

interface Draft {
  readonly dice: Dice;
  readonly loop: readonly number[];
  readonly values: Value[];
  readonly buffers: HostBuffer[];
}

function addLoad(d: Draft): ValueId {
  const dtype = d.dice.pick(['f32', 'f32', 'f32', 'f16', 'bf16'] as const);
  const [at, size] = randomAddress(d.dice, d.loop, true);
  d.buffers.push(host(dtype, size, () => encode(dtype, d.dice.next())));
  d.values.push({ kind: 'load', dtype: 'f32', from: d.buffers.length - 1, at });
  return d.values.length - 1;
}

/** Adds ops over any of `pool`; new values join it. */
function addOps(d: Draft, pool: ValueId[], count: number): void {
  for (let i = 0; i < count; i++) {
    const binary = d.dice.below(2) === 0;
    const op = d.dice.pick(binary ? BINARY : UNARY);
    const args = binary ? [d.dice.pick(pool), d.dice.pick(pool)] : [d.dice.pick(pool)];
    d.values.push({ kind: 'op', op, dtype: 'f32', args });
    pool.push(d.values.length - 1);
    // Keeps magnitudes small, so that the tolerance means something.
    d.values.push({ kind: 'op', op: 'tanh', dtype: 'f32', args: [d.values.length - 1] });
    pool.push(d.values.length - 1);
  }
}

function addStore(d: Draft, stores: Store[], value: ValueId, loop: readonly number[]): void {
  const dtype = d.dice.pick(['f32', 'f32', 'f16', 'bf16'] as const);
  const [at, size] = randomAddress(d.dice, loop, false);
  const strides = [...at.strides, ...new Array<number>(d.loop.length - loop.length).fill(0)];
  d.buffers.push(host(dtype, size + 5, () => encode(dtype, 0.5)));
  stores.push({ to: d.buffers.length - 1, at: { offset: at.offset, strides }, value });
}

function draft(seed: number, axes: number): Draft {
  const dice = new Dice(seed);
  const loop = Array.from({ length: axes }, () =>
    dice.pick([1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 17, 21]),
  );
  return { dice, loop, values: [], buffers: [] };
}

function finished(d: Draft, rest: object, stores: Store[]): Kernel {
  const written = new Set(stores.map(({ to }) => to));
  const buffers = d.buffers.map(({ dtype }, id) => ({
    id,
    dtype,
    access: written.has(id) ? ('write' as const) : ('read' as const),
  }));
  return {
    label: 'random',
    loop: d.loop,
    values: d.values,
    stores,
    buffers,
    ...rest,
  } as unknown as Kernel;
}

async function check(kernel: Kernel, buffers: readonly HostBuffer[]): Promise<void> {
  const actual = await runWasm(backend, [kernel], buffers);
  const expected = reference(kernel, buffers);
  for (const { to } of kernel.stores) {
    const { dtype } = buffers[to]!;
    // What no store touches is compared too.
    const got = Float64Array.from(actual[to]!, decoderOf(dtype));
    const tolerance = { f16: 2e-3, bf16: 1e-2 }[dtype as 'f16'] ?? 1e-4;
    expect(worstError(got, expected[to]!), JSON.stringify(kernel)).toBeLessThan(tolerance);
  }
}

const SEEDS = Array.from({ length: 120 }, (_, i) => i);

test('random map kernels', async () => {
  for (const seed of SEEDS) {
    const d = draft(seed, 1 + (seed % 4));
    const pool = [addLoad(d), addLoad(d), addLoad(d)];
    addOps(d, pool, 1 + d.dice.below(5));
    const stores: Store[] = [];
    for (let i = 0; i < 1 + d.dice.below(2); i++) addStore(d, stores, d.dice.pick(pool), d.loop);
    await check(finished(d, { kind: 'map' }, stores), d.buffers);
  }
});

test('random row kernels', async () => {
  for (const seed of SEEDS) {
    const d = draft(seed + 1000, 1 + (seed % 4));
    const rowAxes = 1 + d.dice.below(d.loop.length);
    const outer = d.loop.slice(0, d.loop.length - rowAxes);
    const pool = [addLoad(d), addLoad(d)];
    const stages: Stage[] = [];
    const sums: ValueId[] = [];
    for (let stage = 0; stage < 1 + d.dice.below(3); stage++) {
      addOps(d, pool, 1 + d.dice.below(3));
      const accumulators = Array.from({ length: 1 + d.dice.below(2) }, () => ({
        reduce: d.dice.pick(['sum', 'max', 'min'] as const),
        dtype: 'f32' as const,
        value: d.dice.pick(pool),
      }));
      stages.push({ accumulators });
      accumulators.forEach((_, slot) => {
        d.values.push({ kind: 'accumulator', dtype: 'f32', stage, slot });
        d.values.push({ kind: 'op', op: 'tanh', dtype: 'f32', args: [d.values.length - 1] });
        sums.push(d.values.length - 1);
        pool.push(d.values.length - 1);
      });
    }
    addOps(d, pool, 2);
    const stores: Store[] = [];
    addStore(d, stores, d.dice.pick(sums), outer);
    if (d.dice.below(2) === 0) addStore(d, stores, d.values.length - 1, d.loop);
    await check(finished(d, { kind: 'row', rowAxes, stages }, stores), d.buffers);
  }
});

test('random matmul kernels', async () => {
  for (const seed of SEEDS) {
    const d = draft(seed + 2000, 2 + (seed % 3));
    const inner = d.dice.pick([1, 2, 3, 4, 7, 8, 9, 33, 520]);
    const rank = d.loop.length;
    const operand = (axis: number, isA: boolean): object => {
      const dtype = d.dice.pick(['f32', 'f32', 'f32', 'f16', 'bf16'] as const);
      const loop = [...d.loop.slice(0, -2), d.loop[axis]!, inner];
      const [{ offset, strides }, size] = randomAddress(d.dice, loop, false);
      const batch = strides.slice(0, -2).map((stride) => (d.dice.below(4) === 0 ? 0 : stride));
      d.buffers.push(host(dtype, size, () => encode(dtype, d.dice.next() / Math.sqrt(inner))));
      const [own, k] = strides.slice(-2) as [number, number];
      const sides = isA ? { row: own, column: k } : { row: k, column: own };
      return { from: d.buffers.length - 1, offset, batch, ...sides };
    };
    const [a, b] = [operand(rank - 2, true), operand(rank - 1, false)];
    d.values.push({ kind: 'product', dtype: 'f32' });
    const pool: ValueId[] = [0];
    if (d.dice.below(3) > 0) {
      pool.push(addLoad(d));
      addOps(d, pool, 1 + d.dice.below(2));
    }
    const stores: Store[] = [];
    addStore(d, stores, pool.at(-1)!, d.loop);
    await check(finished(d, { kind: 'matmul', inner, a, b }, stores), d.buffers);
  }
});
