import { tensor, where } from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { grad, gradcheck } from '../src/index.ts';
import { sample } from './helpers.ts';

/** y = (x − mean)/√(variance + ε)·w + b over the last axis. */
function layerNorm([x, w, b]: Tensor[]): Tensor {
  const centred = x!.sub(x!.mean(-1, true));
  const scale = centred.square().mean(-1, true).add(1e-5).rsqrt();
  return centred.mul(scale).mul(w!).add(b!);
}

/** Mean negative log-likelihood of i32 labels [n] under logits [n, V]. */
function crossEntropy([logits, labels]: Tensor[]): Tensor {
  const [n, v] = logits!.shape as [number, number];
  const flat = logits!.logSoftmax().reshape([n * v]);
  const rows = tensor(Int32Array.from({ length: n }, (_, i) => i * v));
  return flat.gather(rows.add(labels!)).mean().neg();
}

/** Causal attention of [H, T, D]. */
function attention([q, k, v]: Tensor[]): Tensor {
  const [, t, d] = q!.shape as [number, number, number];
  const mask = tensor(
    Uint32Array.from({ length: t * t }, (_, i) => Number(i % t <= i / t)),
    [t, t],
    'bool',
  );
  const scores = q!.matmul(k!.transpose()).mul(1 / Math.sqrt(d)); // [H, T, T]
  return where(mask, scores, -1e9).softmax().matmul(v!);
}

const qkv = [sample([2, 3, 4]), sample([2, 3, 4], 2), sample([2, 3, 4], 3)];

describe('composite gradients', () => {
  it.each<[string, (x: Tensor[]) => Tensor, Tensor[]]>([
    ['softmax', ([x]) => x!.softmax(), [sample([2, 5])]],
    ['softmax over the first axis', ([x]) => x!.softmax(0), [sample([3, 2])]],
    ['logSoftmax', ([x]) => x!.logSoftmax(), [sample([2, 5])]],
    ['sigmoid', ([x]) => x!.sigmoid(), [sample([5])]],
    ['gelu', ([x]) => x!.gelu(), [sample([5])]],
    ['geluTanh', ([x]) => x!.geluTanh(), [sample([5])]],
    ['silu', ([x]) => x!.silu(), [sample([5])]],
    ['relu', ([x]) => x!.relu(), [sample([5])]],
    ['layer norm', layerNorm, [sample([2, 6]), sample([6], 2), sample([6], 3)]],
    ['cross-entropy', crossEntropy, [sample([3, 5]), tensor(Int32Array.of(4, 0, 2))]],
    ['attention', attention, qkv],
  ])('%s', async (name, f, inputs) => {
    expect((await gradcheck(f, inputs, { name })).maxError).toBeLessThan(1e-6);
  });

  it.each<[string, (x: Tensor[]) => Tensor, Tensor[]]>([
    ['layer norm', layerNorm, [sample([2, 4]), sample([4], 2), sample([4], 3)]],
    ['attention', attention, qkv],
    ['cross-entropy', crossEntropy, [sample([2, 3]), tensor(Int32Array.of(1, 0))]],
  ])('%s, second derivative', async (name, f, inputs) => {
    const twice = (x: Tensor[]): Tensor => {
      const floats = x.filter((t) => t.dtype === 'f32');
      const y = f(x);
      return grad(y.mul(y).sum(), floats).reduce(
        (sum, g) => sum.add(g.square().sum()),
        tensor([0]),
      );
    };
    await gradcheck(twice, inputs, { name, tolerance: 1e-5 });
  });
});
