/** @file Gradient of the matrix product. */
import { smooth, type Rule } from './rule.ts';

/** Of C = A·B with [...batch, M, K] · [...batch, K, N]: dA = dC·Bᵀ, dB = Aᵀ·dC. */
export const matmul: Rule<'matmul'> = smooth(({ dy, x }, input) =>
  input === 0 ? dy.matmul(x[1]!.transpose()) : x[0]!.transpose().matmul(dy),
);
