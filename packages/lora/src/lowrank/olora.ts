/**
 * @file OLoRA's beginning: with W = Q·R, B₀ is the first columns of Q, which are orthonormal, and A₀ the first rows
 * of R (Büyükakyüz 2024, https://arxiv.org/abs/2406.01775). PEFT subtracts s·B₀·A₀ from the weight.
 */
import { InputError, type Tensor } from '@camada/tensor';
import { qr } from '@camada/tensor/linalg';
import { leaf, type Start } from './pissa.ts';

/** OLoRA's beginning of rank R for a weight [out, in]. Throws InputError when the weight has less. */
export async function oloraStart(weight: Tensor, r: number): Promise<Start> {
  const [out = 0, width = 0] = weight.shape;
  if (r > Math.min(out, width))
    throw new InputError(`OLoRA: rank ${r} is more than the weight has, ${Math.min(out, width)}`);
  // The first columns of Q depend on the first columns of W alone.
  const { q } = await qr(await weight.slice(1, 0, r).realize()); // [out, R]
  return { A: await leaf(q.transpose().matmul(weight)), B: q };
}
