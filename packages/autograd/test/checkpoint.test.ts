/** @file Checkpointing: the same numbers, the same masks, and much less memory while a step runs. */
import { randomUniform, realize, where } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { trace } from '../../tensor/src/graph/trace.ts';
import { schedule } from '../../tensor/src/schedule/schedule.ts';
import { checkpoint, grad, gradcheck, hvp } from '../src/index.ts';
import { sample } from './helpers.ts';

const [T, C] = [32, 16];

interface Layer {
  readonly up: Tensor;
  readonly down: Tensor;
  readonly gain: Tensor;
}

function layers(count: number): Layer[] {
  return Array.from({ length: count }, (_, i) => ({
    up: sample([C, 4 * C], 3 * i + 1, -0.2, 0.2),
    down: sample([4 * C, C], 3 * i + 2, -0.2, 0.2),
    gain: sample([C], 3 * i + 3, 0.5, 1.5),
  }));
}

/** A pre-norm block with attention over itself, dropout and a feed-forward half. */
function block(x: Tensor, { up, down, gain }: Layer, key: number): Tensor {
  const norm = (h: Tensor): Tensor =>
    h.sub(h.mean(-1, true)).mul(h.variance(-1, true).add(1e-5).rsqrt()).mul(gain);
  const n = norm(x);
  const mixed = n
    .matmul(n.transpose())
    .mul(1 / Math.sqrt(C))
    .softmax()
    .matmul(n); // [T, C]
  const kept = randomUniform([T, C], [key, 5]).ge(0.1);
  const y = x.add(where(kept, mixed.mul(1 / 0.9), 0));
  return y.add(norm(y).matmul(up).gelu().matmul(down)); // [T, C]
}

type Run = (f: (x: Tensor) => Tensor, x: Tensor) => Tensor;
const plain: Run = (f, x) => f(x);
const checked: Run = (f, x) => checkpoint(f, x);

function network(x: Tensor, all: readonly Layer[], run: Run): Tensor {
  return all
    .reduce((h, layer, i) => run((inner) => block(inner, layer, i), h), x)
    .square()
    .mean();
}

function step(count: number, run: Run): Tensor[] {
  const all = layers(count);
  const x = sample([T, C], 99);
  const loss = network(x, all, run);
  return [loss, ...grad(loss, [x, ...all.flatMap(({ up, down, gain }) => [up, down, gain])])];
}

/** Scratch bytes and kernels of the program that computes these tensors. */
function cost(tensors: readonly Tensor[]): { scratch: number; kernels: number } {
  const graph = trace(tensors.map(({ node }) => ({ node, replaces: undefined }))).graph();
  const plan = schedule(graph, { maxBuffersPerKernel: 10 });
  return { scratch: plan.scratchBytes, kernels: plan.kernels.length };
}

async function distance(x: Tensor, y: Tensor): Promise<number> {
  return x.sub(y).abs().max().item();
}

describe('checkpoint', () => {
  it('changes no value, gradient or dropout mask', async () => {
    const [a, b] = [step(3, plain), step(3, checked)];
    await realize([...a, ...b]);
    for (const [i, x] of a.entries())
      expect([...(await b[i]!.data())]).toEqual([...(await x.data())]);
  });

  it('holds far less scratch in a deep network: one activation for each further layer', () => {
    const [four, eight] = [cost(step(4, checked)), cost(step(8, checked))];
    const whole = cost(step(8, plain));
    expect(eight.scratch).toBeLessThan(0.3 * whole.scratch);
    expect(eight.scratch - four.scratch).toBeLessThanOrEqual(4 * T * C * 4);
    expect(eight.kernels).toBeLessThan(1.5 * whole.kernels);
  });

  it('waits for each gradient apart', () => {
    const x = sample([4]);
    const f = (a: Tensor): Tensor => a.exp().tanh();
    const loss = checkpoint(f, x).mul(2).sum().add(checkpoint(f, x).square().sum());
    const { nodes } = trace(
      grad(loss, [x]).map(({ node }) => ({ node, replaces: undefined })),
    ).graph();
    expect(nodes.filter(({ op }) => op === 'barrier')).toHaveLength(2);
  });

  it('passes gradients to what the function closes over, and to all inputs', async () => {
    const [w, x, y] = [sample([3, 3]), sample([2, 3], 2), sample([2, 3], 3)];
    const closed = x.square().add(0.5); // an intermediate value from outside
    const f = (run: boolean): Tensor => {
      const inner = (a: Tensor, b: Tensor): Tensor => a.matmul(w).tanh().mul(b).add(closed);
      return (run ? checkpoint(inner, x, y) : inner(x, y)).square().sum();
    };
    const [a, b] = [grad(f(false), [w, x, y, closed]), grad(f(true), [w, x, y, closed])];
    for (const [i, expected] of a.entries())
      expect(await distance(expected, b[i]!)).toBeLessThan(1e-12); // sums in another order
  });

  it('can be nested and differentiated twice', async () => {
    const f = ([x]: readonly Tensor[]): Tensor =>
      checkpoint((a: Tensor) => checkpoint((b: Tensor) => b.tanh().square(), a.exp()).mul(a), x!);
    await gradcheck((x) => f(x), [sample([4])]);
    await gradcheck(([x]) => grad(f([x!]).sum(), [x!])[0]!, [sample([4])], { tolerance: 1e-5 });
    const x = sample([4]);
    const v = sample([4], 2);
    const [product] = hvp((p) => f(p).sum(), [x], [v]).products;
    expect((await product!.data()).every(Number.isFinite)).toBe(true);
  });
});
