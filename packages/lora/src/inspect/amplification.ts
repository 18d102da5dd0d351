/**
 * @file What an update makes of the weight it is added to (LoRA, https://arxiv.org/abs/2106.09685, section 7.3, table
 * 7): it amplifies directions that W has but does not emphasise, by ‖ΔW‖ / ‖Uᵀ·W·V‖ with U and V the first k
 * singular vectors of ΔW.
 */
import { normal, parameterKey } from '@camada/nn';
import { InputError, showShape, type Tensor } from '@camada/tensor';
import { Matrix, qrMatrix, readMatrix, svdMatrix } from '@camada/tensor/linalg';
import { decompose, type HostFactors } from './decompose.ts';

/** An update beside its weight; norms are those of Frobenius. */
export interface Amplification {
  /** Number k of directions: what was asked for, at most the rank. */
  readonly k: number;
  /** ‖W‖. */
  readonly weightNorm: number;
  /** ‖Uᵀ·W·V‖: how much of W lies in the update's first k directions. */
  readonly inside: number;
  /** The same for W's own first k directions: the most that is possible. To about three digits. */
  readonly own: number;
  /** The same for random directions: √E‖·‖² = ‖W‖·k / √(out·in). */
  readonly random: number;
  /** ‖ΔW‖ / ‖Uᵀ·W·V‖; Infinity where nothing of W lies there. */
  readonly factor: number;
}

/** Compares an update with its weight [out, in], of an embedding [C, V]. Throws InputError when shapes differ. */
export async function amplification(
  weight: Tensor,
  factors: HostFactors,
  k: number = factors.A.rows,
): Promise<Amplification> {
  const [out = 0, width = 0] = weight.shape;
  if (out !== factors.B.rows || width !== factors.A.columns)
    throw new InputError(
      `the update is ${showShape([factors.B.rows, factors.A.columns])}, the weight ${showShape(weight.shape)}: ` +
        'is the adapter of this model?',
    );
  const { u, s, v } = decompose(factors);
  const count = Math.min(k, s.length);
  const w = weight.cast('f32');
  const middle = columns(u, count).toTensor().transpose().matmul(w); // [k, in]
  const inside = frobenius(
    await readMatrix('inspect', middle.matmul(columns(v, count).toTensor())),
  );
  const weightNorm = await w.square().sum().sqrt().item();
  const norm = Math.hypot(...s);
  return {
    k: count,
    weightNorm,
    inside,
    own: await largestNorm(w, count),
    random: (weightNorm * count) / Math.sqrt(out * width),
    factor: norm === 0 ? 0 : norm / inside,
  };
}

function columns(matrix: Matrix, count: number): Matrix {
  return Matrix.from(matrix.rows, count, (i, j) => matrix.at(i, j));
}

function frobenius(matrix: Matrix): number {
  return Math.hypot(...matrix.data.flatMap((row) => [...row]));
}

/** More columns than are wanted let subspace iteration settle sooner. */
const SPARE = 8;
const MOST_STEPS = 60;

/** √Σσ² of the k largest singular values of w [out, in], by subspace iteration (Halko et al. 2011, section 4.5). */
async function largestNorm(w: Tensor, k: number): Promise<number> {
  const [out = 0, width = 0] = w.shape;
  const size = Math.min(k + SPARE, out, width);
  let right = normal([width, size], 1, parameterKey(0, 'inspect'));
  let before = 0;
  for (let step = 0; step < MOST_STEPS; step++) {
    const left = qrMatrix(await readMatrix('inspect', w.matmul(right))); // [out, size]
    const { s } = svdMatrix(left.r);
    const found = Math.hypot(...s.subarray(0, k));
    // The first step's columns are not orthonormal.
    if (step > 1 && found - before <= 1e-5 * found) return found;
    before = found;
    const back = await readMatrix('inspect', w.transpose().matmul(left.q.toTensor()));
    right = qrMatrix(back).q.toTensor(); // [in, size]
  }
  return before;
}
