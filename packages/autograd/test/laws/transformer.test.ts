/**
 * @file A small encoder block with a loss, as an engine's main customer writes it: look-ups, heads by views, masked
 * softmax, norms, residuals, cross-entropy. Loss and every gradient equal the reference's on each device.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arange, realize, tensor, where } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { agree } from '../../../tensor/test/laws/compare.ts';
import { DEVICES, on, type HostInput } from '../../../tensor/test/laws/devices.ts';
import { below, runs, seeds, sequence, values } from '../../../tensor/test/laws/generate.ts';
import { grad } from '../../src/index.ts';

/** Batch, tokens, heads, head width, vocabulary, classes. */
interface Sizes {
  readonly b: number;
  readonly t: number;
  readonly h: number;
  readonly d: number;
  readonly v: number;
  readonly classes: number;
}

const WEIGHTS = (s: Sizes): number[][] => {
  const c = s.h * s.d;
  return [
    [s.v, c],
    [s.t, c],
    [c],
    [c],
    [3 * c, c],
    [3 * c],
    [c, c],
    [c],
    [4 * c, c],
    [4 * c],
    [c, 4 * c],
    [c],
    [s.classes, c],
    [s.classes],
  ];
};

function layerNorm(x: Tensor, gain: Tensor, shift: Tensor): Tensor {
  const centred = x.sub(x.mean(-1, true));
  return centred.mul(centred.square().mean(-1, true).add(1e-5).rsqrt()).mul(gain).add(shift);
}

const linear = (x: Tensor, weight: Tensor, bias: Tensor): Tensor =>
  x.matmul(weight.transpose()).add(bias);

/** Mean cross-entropy over sequences; `mask` [B, T] is 1 on real tokens. */
function loss(s: Sizes, p: readonly Tensor[], ids: Tensor, mask: Tensor, labels: Tensor): Tensor {
  const [
    words,
    places,
    gain,
    shift,
    qkv,
    qkvBias,
    out,
    outBias,
    up,
    upBias,
    down,
    downBias,
    head,
    headBias,
  ] = p as Tensor[];
  const c = s.h * s.d;
  const x = layerNorm(words!.gather(ids).add(places!), gain!, shift!); // [B, T, C]
  const heads = linear(x, qkv!, qkvBias!).reshape([s.b, s.t, 3, s.h, s.d]).permute([2, 0, 3, 1, 4]); // [3, B, H, T, D]
  const [q, k, v] = [0, 1, 2].map((i) => heads.slice(0, i, i + 1).squeeze(0)) as [
    Tensor,
    Tensor,
    Tensor,
  ]; // [B, H, T, D]
  const scores = q.matmul(k.transpose()).mul(1 / Math.sqrt(s.d)); // [B, H, T, T]
  const weights = where(mask.reshape([s.b, 1, 1, s.t]).gt(0), scores, -1e9).softmax();
  const mixed = weights.matmul(v).permute([0, 2, 1, 3]).reshape([s.b, s.t, c]); // [B, T, C]
  const y = layerNorm(x.add(linear(mixed, out!, outBias!)), gain!, shift!);
  const z = y.add(linear(linear(y, up!, upBias!).gelu(), down!, downBias!)); // [B, T, C]
  const real = mask.unsqueeze(-1); // [B, T, 1]
  const pooled = z.mul(real).sum(1).div(real.sum(1)); // [B, C]
  const logits = linear(pooled, head!, headBias!).logSoftmax(); // [B, classes]
  const chosen = logits.reshape([-1]).gather(arange(s.b).mul(s.classes).add(labels)); // [B]
  return chosen.mean().neg();
}

function inputsOf(s: Sizes, seed: number): HostInput[] {
  const next = sequence(seed);
  const integers = (shape: number[], limit: number): HostInput => {
    const data = Int32Array.from({ length: shape.reduce((n, m) => n * m, 1) }, () =>
      below(next, limit),
    );
    return { data, shape, dtype: 'i32' };
  };
  const lengths = Array.from({ length: s.b }, () => 1 + below(next, s.t));
  const mask = Float32Array.from({ length: s.b * s.t }, (_, i) =>
    Number(i % s.t < lengths[Math.floor(i / s.t)]!),
  );
  const weights = WEIGHTS(s).map((shape, i) => {
    const { data } = values(shape, seed + i);
    return { data: data.map((x) => 0.1 * x), shape, dtype: 'f32' as const };
  });
  return [
    integers([s.b, s.t], s.v),
    { data: mask, shape: [s.b, s.t], dtype: 'f32' },
    integers([s.b], s.classes),
    ...weights,
  ];
}

const drawn = fc.record({
  b: fc.integer({ min: 1, max: 4 }),
  t: fc.constantFrom(1, 2, 5, 8, 13),
  h: fc.constantFrom(1, 2, 3),
  d: fc.constantFrom(1, 4, 8),
  v: fc.constantFrom(3, 11, 40),
  classes: fc.constantFrom(2, 5),
});

describe.each(DEVICES)('an encoder block on %s', (device) => {
  test('loss and all gradients equal the reference', async () => {
    const law = fc.asyncProperty(drawn, seeds, async (sizes, seed) => {
      const both = ([ids, mask, labels, ...weights]: Tensor[]): Tensor[] => {
        const value = loss(sizes, weights, ids!, mask!, labels!);
        return [value, ...grad(value, weights)];
      };
      await agree(device, both, inputsOf(sizes, seed), 2e-4);
    });
    await fc.assert(law, runs(8));
  });

  test('takes few kernels', async () => {
    const engine = await on(device);
    const sizes = { b: 2, t: 8, h: 2, d: 8, v: 20, classes: 3 };
    const tensors = inputsOf(sizes, 1).map(({ data, shape, dtype }) => tensor(data, shape, dtype));
    const [ids, mask, labels, ...weights] = tensors;
    const value = loss(sizes, weights, ids!, mask!, labels!);
    const before = engine.counters.kernels;
    await realize([value, ...grad(value, weights)]);
    expect(engine.counters.kernels - before).toBeLessThanOrEqual(48);
  });
});
