/** @file AdamW with 8-bit moments: against the definition step by step, near f32 AdamW, at a quarter of its bytes. */
import { realize, tensor, type Tensor } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { AdamW } from '../src/optim/adamw.ts';
import { AdamW8bit } from '../src/optim/adamw-8bit.ts';
import type { Optimizer } from '../src/optim/optimizer.ts';
import { dynamicMap } from '../src/quantized/dynamic-map.ts';
import { on } from './support.ts';

const SIZE = 4500; // no multiple of 256
const RATE = 1e-2;

/** Gradient of (θ − target)² with some noise that both runs share. */
function gradient(theta: ArrayLike<number>, step: number): Float32Array {
  return Float32Array.from(
    { length: SIZE },
    (_, i) => theta[i]! - Math.cos(i) + 0.3 * Math.sin(17 * i + 5 * step) * (1 + (i % 7)),
  );
}

function start(): Float32Array {
  return Float32Array.from({ length: SIZE }, (_, i) => Math.sin(3 * i));
}

async function run(
  make: (p: Map<string, Tensor>) => Optimizer,
  steps: number,
): Promise<Float32Array> {
  const theta = tensor(start());
  const optimizer = make(new Map([['w', theta]]));
  for (let step = 0; step < steps; step++) {
    optimizer.step([tensor(gradient(await theta.data(), step))], RATE);
    await realize([theta]);
  }
  return Float32Array.from(await theta.data());
}

/** Quantised and read back, by looking at every number of the book. */
function roundTrip(x: Float64Array, signed: boolean): Float64Array {
  const book = [...dynamicMap(signed)];
  const out = new Float64Array(x.length);
  for (let from = 0; from < x.length; from += 256) {
    const block = x.subarray(from, from + 256);
    const most = Math.fround(Math.max(...block.map(Math.abs)));
    block.forEach((value, i) => {
      const scaled = value / (most || 1);
      const allowed = signed && value < 0 ? book.filter((y) => y < 0) : book;
      const best = allowed.reduce((a, b) => (Math.abs(b - scaled) < Math.abs(a - scaled) ? b : a));
      out[from + i] = best * most;
    });
  }
  return out;
}

/** The definition in f64. */
function defined(steps: number): Float64Array {
  const theta = Float64Array.from(start());
  let m: Float64Array = new Float64Array(SIZE);
  let v: Float64Array = new Float64Array(SIZE);
  for (let step = 0; step < steps; step++) {
    const g = gradient(theta, step);
    m = m.map((x, i) => 0.9 * x + 0.1 * g[i]!);
    v = v.map((x, i) => 0.999 * x + 0.001 * g[i]! ** 2);
    const [c1, c2] = [1 - 0.9 ** (step + 1), 1 - 0.999 ** (step + 1)];
    theta.forEach((x, i) => {
      theta[i] = x * (1 - RATE * 0.01) - ((RATE / c1) * m[i]!) / (Math.sqrt(v[i]! / c2) + 1e-8);
    });
    m = roundTrip(m, true);
    v = roundTrip(v, false);
  }
  return theta;
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(sum / a.length);
}

describe.each(['wasm', 'webgpu'] as const)('AdamW8bit on %s', (device) => {
  it('follows the definition', async () => {
    await on(device);
    const found = await run((p) => new AdamW8bit(p), 5);
    // A moment on a border between two codes may fall to either side.
    expect(distance(found, defined(5))).toBeLessThan(2e-4);
  });
});

it('stays near f32 AdamW over 30 steps', async () => {
  await on('wasm');
  const [eight, full] = [
    await run((p) => new AdamW8bit(p), 30),
    await run((p) => new AdamW(p), 30),
  ];
  expect(distance(eight, full)).toBeLessThan(0.03 * distance(full, start()));
});

it('holds a quarter of the state, and f32 moments for small parameters', async () => {
  await on('wasm');
  const parameters = new Map([
    ['large', tensor(start())],
    ['small', tensor([1, 2, 3])],
  ]);
  const optimizer = new AdamW8bit(parameters);
  optimizer.step([tensor(gradient(start(), 0)), tensor([1, 1, 1])], RATE);
  await realize([...parameters.values()]);
  const { tensors } = await optimizer.state();
  const bytes = [...tensors].reduce(
    (sum, [name, data]) => sum + (name.startsWith('large') ? data.byteLength : 0),
    0,
  );
  expect(bytes).toBeLessThan(0.27 * 8 * 18 * 256); // 18 blocks
  expect([...tensors.keys()].filter((name) => name.startsWith('small'))).toEqual([
    'small.exp_avg',
    'small.exp_avg_sq',
  ]);
});

it('goes on from a saved state as if it had not stopped', async () => {
  await on('wasm');
  const theta = tensor(start());
  const first = new AdamW8bit(new Map([['w', theta]]));
  first.step([tensor(gradient(start(), 0))], RATE);
  await realize([theta]);
  const copy = tensor(Float32Array.from(await theta.data()));
  const second = new AdamW8bit(new Map([['w', copy]]));
  second.load(await first.state());
  for (const [optimizer, parameter] of [
    [first, theta],
    [second, copy],
  ] as const) {
    optimizer.step([tensor(gradient(start(), 1))], RATE);
    await realize([parameter]);
  }
  expect(await copy.data()).toEqual(await theta.data());
});
