/** @file CKA with a Gaussian kernel whose width follows the median distance. */
import { InputError } from '@camada/tensor';
import { gramsOf, type Gram } from '../gram.ts';
import { median } from '../numbers.ts';
import { squaredDistances } from './distances.ts';
import { ckaOfGrams } from './linear-cka.ts';
import type { Metric } from './metric.ts';

/**
 * k(x, y) = exp(−‖x − y‖² / (2·t²·m)) with m the median of all n² squared distances of a representation, those of an
 * example to itself included: as in the notebook of Kornblith et al. 2019 (arXiv 1905.00414, section 3, which tries
 * t of 0.2, 0.4 and 0.8). The larger t, the nearer to linear CKA. Throws InputError unless t > 0.
 */
export const rbfCka: Metric = async (levels, options) => {
  const { bandwidth = 1 } = options;
  if (!(bandwidth > 0 && Number.isFinite(bandwidth)))
    throw new InputError(`rbf-cka: bandwidth ${bandwidth} is not a number above 0`);
  const kernels = (await gramsOf(levels)).map((gram) => kernel(gram, bandwidth));
  const compare = ckaOfGrams(
    kernels.map((found) => found ?? EMPTY),
    options,
  );
  return (i, j) => (kernels[i] && kernels[j] ? compare(i, j) : TOO_MANY_EQUAL);
};

const TOO_MANY_EQUAL =
  'half of the examples or more are the same, so the median distance is 0 and the kernel has no width: use other examples, or cka';

/** Stands for a level without a kernel, and is never compared. */
const EMPTY: Gram = { n: 0, data: new Float64Array(), constant: true };

/** The kernel's matrix; undefined where the median distance is 0 although the examples differ. */
function kernel(gram: Gram, bandwidth: number): Gram | undefined {
  const squares = squaredDistances(gram);
  const width = 2 * bandwidth ** 2 * median(squares);
  if (gram.constant) return { ...gram, data: squares };
  if (!(width > 0)) return undefined;
  return { ...gram, data: squares.map((square) => Math.exp(-square / width)) };
}
