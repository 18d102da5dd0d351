/** @file The scheduler against the graph interpreter: same numbers, and as few kernels as promised. */
import { describe, expect, it } from 'vitest';
import { concat, full, scalar, tensor, where, zeros } from '../../src/create.ts';
import { randomUniform } from '../../src/random.ts';
import type { Plan } from '../../src/schedule/plan.ts';
import { printPlan } from '../../src/schedule/print.ts';
import type { Tensor } from '../../src/tensor.ts';
import { checkPlan } from './check-plan.ts';

let seed = 1;
const next = (): number => ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff) * 2 - 1;
const random = (...shape: number[]): Tensor =>
  tensor(Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next), shape);

/** Plans the tensors, runs the kernels in f64 and compares with the interpreter. */
function check(outputs: readonly Tensor[], maxBuffers = 12): Plan {
  const wanted = outputs.map((x) => ({ node: x.node, replaces: undefined }));
  const { plan, worst } = checkPlan(wanted, maxBuffers);
  if (!(worst <= 1e-9)) throw new Error(`off by ${worst}\n${printPlan(plan)}`);
  return plan;
}

const layerNorm = (x: Tensor, g: Tensor, b: Tensor): Tensor =>
  x.sub(x.mean(-1, true)).mul(x.variance(-1, true).add(1e-5).rsqrt()).mul(g).add(b);

describe('fusion', () => {
  it('a chain of elementwise ops is one kernel', () => {
    const [x, y] = [random(4, 5), random(5)];
    expect(check([x.mul(y).add(1).tanh().sub(x)]).kernels.length).toBe(1);
  });
  it('softmax is one kernel', () =>
    expect(check([random(9, 7).softmax(-1)]).kernels.length).toBe(1));
  it('softmax along a middle axis is one kernel', () =>
    expect(check([random(3, 7, 4).softmax(1)]).kernels.length).toBe(1));
  it('log-softmax is one kernel', () =>
    expect(check([random(9, 7).logSoftmax(-1)]).kernels.length).toBe(1));
  it('LayerNorm is one kernel', () =>
    expect(check([layerNorm(random(2, 9, 8), random(8), random(8))]).kernels.length).toBe(1));
  it('a linear layer with bias and gelu is one kernel', () => {
    const plan = check([random(2, 6, 8).matmul(random(5, 8).transpose()).add(random(5)).gelu()]);
    expect(plan.kernels.map((k) => k.kind)).toEqual(['matmul']);
  });
  it('a value that is wanted itself joins its consumer', () => {
    const u = random(2, 6, 8).matmul(random(8, 5)).add(random(5));
    expect(check([u, u.gelu()]).kernels.length).toBe(1);
  });
  it('an optimizer update is one kernel', () => {
    const [p, m, v, g] = [random(6, 5), random(6, 5), random(6, 5).square(), random(6, 5)] as const;
    const m1 = m.mul(0.9).add(g.mul(0.1));
    const v1 = v.mul(0.99).add(g.square().mul(0.01));
    expect(check([m1, v1, p.sub(m1.div(v1.sqrt().add(1e-8)).mul(0.1))]).kernels.length).toBe(1);
  });
  it('attention reads and writes heads in place: three kernels', () => {
    const [B, T, H, D] = [2, 5, 3, 4];
    const heads = (x: Tensor): Tensor => x.reshape([B, T, H, D]).permute([0, 2, 1, 3]);
    const [q, k, v] = [random(B, T, H * D), random(B, T, H * D), random(B, T, H * D)].map(
      heads,
    ) as [Tensor, Tensor, Tensor];
    const mask = random(B, 1, 1, T);
    const p = q.matmul(k.transpose()).mul(0.5).add(mask).softmax(-1);
    const out = p
      .matmul(v)
      .permute([0, 2, 1, 3])
      .reshape([B, T, H * D]);
    expect(check([out]).kernels.map((x) => x.kind)).toEqual(['matmul', 'row', 'matmul']);
  });
});

describe('every node lowers', () => {
  it('views over computed values', () => {
    const x = random(4, 6).mul(2);
    check([
      x.transpose().reshape([3, 8]),
      x.slice(1, 1, 5).permute([1, 0]).add(1),
      x.reshape([2, 12]).slice(0, 1, 2),
    ]);
    check([x.reshape([2, 2, 3, 2]).permute([2, 0, 3, 1]).reshape([6, 4]).add(x.transpose())]);
    check([random(5, 7).transpose().reshape([5, 7]).exp()]);
  });
  it('pad, concat, where, gather, scatter', () => {
    const x = random(3, 4);
    check([
      x.pad([1, 0], [0, 2], 7).exp(),
      concat([x, x.mul(3), random(2, 4)], 0),
      concat([x.tanh(), x], 1),
    ]);
    check([x.pad([1, 1], [1, 1]).transpose().reshape([3, 10]).add(1)]);
    const ids = tensor(Int32Array.of(2, 0, 2, 1, 0, 5), [6]);
    check([
      x.gather(ids.slice(0, 0, 4).reshape([2, 2])),
      zeros([3, 4]).indexAdd(0, ids.add(0), random(6, 4).mul(2)),
    ]);
    check([where(x.gt(0), x, scalar(-1)).sum(0)]);
  });
  it('reductions over any axes', () => {
    const x = random(3, 4, 5);
    for (const axes of [[0], [1], [2], [0, 2], [0, 1], [1, 2], [0, 1, 2]])
      check([x.exp().sum(axes), x.max(axes, true).sub(x)]);
    check([x.mean(), x.variance([0, 2], true), x.argmax(1), random(128, 130).sum()]);
    check([x.permute([2, 0, 1]).sum(0).add(x.sum(2))]);
  });
  it('sums used at several shapes', () => {
    const x = random(16, 12);
    const norm = x.square().sum().sqrt();
    check([x.div(norm), norm, x.sum(0), x.sub(x.mean(0)).mul(x.sum(1, true))]);
  });
  it('matmul in every layout, batched and broadcast', () => {
    const [a, b] = [random(3, 4, 5), random(3, 5, 6)];
    check([a.matmul(b), a.matmul(random(5, 2)), random(4, 5).matmul(b)]);
    check([
      a.transpose().matmul(random(3, 4, 2)),
      a
        .matmul(random(3, 2, 5).transpose())
        .add(random(2))
        .relu(),
    ]);
    check([
      a
        .matmul(b.slice(2, 1, 4))
        .transpose()
        .sum(-1),
      a
        .add(1)
        .matmul(b.exp())
        .mul(random(3, 4, 6)),
    ]);
    check([random(2, 1, 4, 5).matmul(random(3, 5, 4)), random(1, 5).matmul(random(5, 1)).add(2)]);
  });
  it('random numbers are the same wherever they are used', () => {
    const mask = randomUniform([4, 6], [1, 2]).lt(0.5);
    const x = random(4, 6);
    check([
      where(mask, x, full([], 0)),
      where(mask.transpose(), x.transpose(), full([], 0)).matmul(random(4, 2)),
    ]);
  });
  it('a sum of many buffers is cut to the limit', () => {
    const parts = Array.from({ length: 30 }, () => random(4));
    for (const limit of [4, 7, 12]) check([parts.reduce((a, b) => a.add(b))], limit);
  });
  it('a concat of fifty parts copies each element at most four times', () => {
    const parts = Array.from({ length: 50 }, (_, i) => random(3, 1 + (i % 4)));
    const { kernels } = check([concat(parts, 1)], 8);
    const points = kernels.map(({ loop }) => loop.reduce((n, size) => n * size, 1));
    const total = parts.reduce((n, part) => n + part.size, 0);
    expect(kernels.length).toBeLessThanOrEqual(12);
    expect(points.reduce((a, b) => a + b)).toBeLessThanOrEqual(4 * total);
  });
  it('views of one tensor join in one kernel', () => {
    const x = random(6, 8);
    expect(check([x.roll([2, -3], [0, 1])], 8).kernels.length).toBe(1);
    expect(check([x.pad([2, 1], [3, 0], 'reflect').tanh()], 8).kernels.length).toBe(1);
  });
  it('windows and their gradient are one kernel each', () => {
    const windows = random(2, 9).unfold(1, 3, 2);
    expect(check([windows.square().sum(-1)]).kernels.length).toBe(1);
    const spread = random(2, 4, 3).pad([0, 2, 0], [0, 2, 0], 0, [0, 1, 0]).shear(1, 2, -1);
    expect(check([spread.sum(2)]).kernels.length).toBe(1);
  });
  it('what overlapping windows would compute again and again gets memory', () => {
    const x = random(2, 3, 20);
    expect(check([x.gelu().unfold(2, 5, 1).max(-1)]).kernels.length).toBe(2);
    expect(check([x.gelu().unfold(2, 5, 5).max(-1)]).kernels.length).toBe(1);
    expect(check([x.unfold(2, 5, 1).max(-1)]).kernels.length).toBe(1);
  });
  it('zero sizes', () => {
    check([
      random(0, 3).sum(0).add(1),
      concat([random(0, 3), random(2, 3)], 0),
      random(2, 0).matmul(random(0, 3)),
    ]);
  });
});
