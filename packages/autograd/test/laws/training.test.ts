/**
 * @file Training: the same 30 steps on every device, the same bits from the same seed, nothing recompiled after
 * the second step, and no gradient work for what is frozen.
 */
import { describe, expect, test } from 'vitest';
import {
  foldKey,
  randomNormal,
  randomUniform,
  realize,
  scalar,
  tensor,
  where,
  zeros,
} from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { DEVICES, on, type DeviceName } from '../../../tensor/test/laws/devices.ts';
import { values } from '../../../tensor/test/laws/generate.ts';
import { grad } from '../../src/index.ts';

const WIDTHS = [12, 32, 24, 5] as const;
const BATCH = 16;

interface Parameter {
  readonly value: Tensor;
  readonly first: Tensor;
  readonly second: Tensor;
}

function parameter(value: Tensor): Parameter {
  return { value, first: zeros(value.shape), second: zeros(value.shape) };
}

function parameters(): Parameter[] {
  return WIDTHS.slice(1).flatMap((width, i) => {
    const from = WIDTHS[i]!;
    const weight = values([from, width], i + 10).data.map((x) => x * (0.4 / Math.sqrt(from)));
    return [parameter(tensor(weight, [from, width])), parameter(zeros([width]))];
  });
}

/** Mean cross-entropy of a gelu network with layer norm and dropout. */
function loss(
  p: readonly Parameter[],
  x: Tensor,
  labels: Tensor,
  step: number,
  dropout: number,
): Tensor {
  const last = WIDTHS.length - 2;
  let h = x; // [B, C]
  for (let i = 0; i <= last; i++) {
    h = h.matmul(p[2 * i]!.value).add(p[2 * i + 1]!.value);
    if (i === last) break;
    h = h.gelu();
    h = h.sub(h.mean(-1, true)).mul(h.variance(-1, true).add(1e-5).rsqrt());
    const kept = randomUniform(h.shape, foldKey([7, i], step)).ge(dropout);
    h = where(kept, h.mul(1 / (1 - dropout)), 0);
  }
  return h.logSoftmax().mul(labels).sum(-1).mean().neg();
}

/** AdamW with global-norm clipping; every number that changes from step to step is data. */
function update(p: readonly Parameter[], gradients: readonly Tensor[], step: number): void {
  const norm = gradients.reduce((sum, g) => sum.add(g.square().sum()), scalar(0)).sqrt();
  const clip = scalar(1).div(norm.add(1e-6)).minimum(1);
  const rate = 0.02 * Math.min(1, (step + 1) / 5);
  p.forEach(({ value, first, second }, i) => {
    const g = gradients[i]!.mul(clip);
    const m = first.mul(0.9).add(g.mul(0.1));
    const v = second.mul(0.999).add(g.square().mul(0.001));
    const unbiased = m.mul(1 / (1 - 0.9 ** (step + 1)));
    const scale = v
      .mul(1 / (1 - 0.999 ** (step + 1)))
      .sqrt()
      .add(1e-8);
    first.assign(m);
    second.assign(v);
    value.assign(value.mul(1 - rate * 0.01).sub(unbiased.div(scale).mul(rate)));
  });
}

function batch(step: number): { x: Tensor; labels: Tensor } {
  const { data } = values([BATCH, WIDTHS[0]], step % 3);
  const hot = new Float32Array(BATCH * 5);
  for (let i = 0; i < BATCH; i++)
    hot[i * 5 + Math.floor(Math.abs(data[i * WIDTHS[0]]!) * 1.24)] = 1;
  return { x: tensor(data, [BATCH, WIDTHS[0]]), labels: tensor(hot, [BATCH, 5]) };
}

interface Run {
  readonly losses: number[];
  readonly weights: number[];
  /** Programs compiled by the end of each step. */
  readonly compiled: number[];
}

/** Trains from the same start on one device. */
async function train(name: DeviceName, steps: number, dropout = 0.1): Promise<Run> {
  const engine = await on(name);
  const p = parameters();
  const [losses, compiled]: [number[], number[]] = [[], []];
  for (let step = 0; step < steps; step++) {
    const { x, labels } = batch(step);
    const value = loss(p, x, labels, step, dropout);
    const gradients = grad(
      value,
      p.map((one) => one.value),
    );
    update(p, gradients, step);
    await realize([value]);
    losses.push(await value.item());
    compiled.push(engine.counters.compiled);
  }
  return { losses, weights: [...(await p[0]!.value.data())], compiled };
}

describe.each(DEVICES)('training on %s', (device) => {
  test('30 steps follow the reference', async () => {
    const expected = await train('reference', 30);
    const got = await train(device, 30);
    const errors = got.losses.map(
      (x, i) => Math.abs(x - expected.losses[i]!) / expected.losses[i]!,
    );
    expect(Math.max(...errors)).toBeLessThan(1e-3);
    expect(expected.losses.at(-1)).toBeLessThan(0.7 * expected.losses[0]!);
  });

  test('the same seed gives the same bits, another dropout other ones', async () => {
    const first = await train(device, 5);
    const second = await train(device, 5);
    const other = await train(device, 5, 0.2);
    expect(second).toMatchObject({ losses: first.losses, weights: first.weights });
    expect(other.losses).not.toEqual(first.losses);
  });

  test('nothing is compiled after the second step', async () => {
    const { compiled } = await train(device, 12);
    expect(new Set(compiled.slice(1)).size).toBe(1);
  });

  test('frozen layers cost no gradient kernels', async () => {
    const engine = await on(device);
    const kernelsOf = async (trained: (i: number) => boolean): Promise<number> => {
      const p = parameters();
      const { x, labels } = batch(0);
      const value = loss(p, x, labels, 0, 0.1);
      const gradients = grad(
        value,
        p.filter((_, i) => trained(i)).map((one) => one.value),
      );
      const before = engine.counters.kernels;
      await realize([value, ...gradients]);
      return engine.counters.kernels - before;
    };
    const forward = await kernelsOf(() => false);
    const head = await kernelsOf((i) => i >= 4);
    const upper = await kernelsOf((i) => i >= 2);
    const all = await kernelsOf(() => true);
    const biases = await kernelsOf((i) => i % 2 === 1);
    expect(head - forward).toBeLessThan(upper - forward);
    expect(upper).toBeLessThan(all);
    expect(biases).toBeLessThan(all);
    expect(all - forward).toBeLessThanOrEqual(5 * (head - forward) + 4);
  });

  test('normal initial weights are the same on every device', async () => {
    await on('reference');
    const expected = await randomNormal([64], [1, 2]).data();
    await on(device);
    const got = await randomNormal([64], [1, 2]).data();
    for (const [i, x] of expected.entries()) expect(got[i]).toBeCloseTo(x, 4);
  });
});
