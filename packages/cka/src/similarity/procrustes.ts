/** @file How well one representation can be turned onto the other. */
import { Matrix, svdMatrix } from '@camada/tensor/linalg';
import { SAME_FOR_ALL, type Metric } from './metric.ts';
import { spectrumOf, type Spectrum } from './spectrum.ts';

/**
 * ‖XᵀY‖_* / (‖X‖_F·‖Y‖_F) of centred representations, in [0, 1]: 1 − d/2 with d the squared distance ‖X·Q − Y‖² that is
 * left after the best orthogonal Q, both scaled to length 1 (Schönemann 1966; Ding et al. 2021, arXiv 2108.01661, section 2).
 */
export const procrustes: Metric = async (levels) => {
  const spectra: (Spectrum | undefined)[] = [];
  for (const level of levels) spectra.push(await spectrumOf(level));
  const scaled = spectra.map((spectrum) => spectrum && unitRows(spectrum));
  return (i, j) => {
    const [x, y] = [scaled[i], scaled[j]];
    if (!x || !y) return SAME_FOR_ALL;
    const { s } = svdMatrix(x.transpose().times(y)); // of S·Uᵀ·U'·S': the same singular values
    return Math.min(
      1,
      s.reduce((sum, value) => sum + value, 0),
    );
  };
};

/** U·S / ‖S‖, [n, k]: X up to a turn. */
function unitRows({ u, s }: Spectrum): Matrix {
  const length = Math.hypot(...s);
  return new Matrix(
    u.data.map((row) => row.map((value, k) => (value * s[k]!) / length)),
    s.length,
  );
}
