/** @file Factors of low-rank updates, cut to fit each other. */
import { concat, zeros } from '@camada/tensor';
import type { Factors } from '../adapter/part.ts';

/** The same update with rank `rank` or more: rows of A and columns of B that are zero are added. */
export function padded({ A, B, scale }: Factors, rank: number): Factors {
  const [own = 0, width = 0] = A.shape;
  if (own >= rank) return { A, B, scale };
  const missing = rank - own;
  return {
    A: concat([A, zeros([missing, width])], 0),
    B: concat([B, zeros([B.shape[0]!, missing])], 1),
    scale,
  };
}
