/** @file How much the gradients of the examples agree. Lee et al. 2023 (Auto-SNR), arXiv 2210.11466, section 4. */
import { realize, stack, where, zeros, type Tensor } from '@camada/tensor';
import { gradientsOf, layerParameters, singles, total } from './gradients.ts';
import { LayerMeans } from './summary.ts';
import { withHead, type Selector } from './selector.ts';

/** Sums over examples of the gradients of one parameter and of their squares. */
interface Sums {
  first: Tensor;
  second: Tensor;
}

/**
 * mean(g)²/var(g) of every parameter over the examples, averaged over a layer; parameters whose gradient never varies do not
 * count. Memory: two numbers a parameter, however many examples. There are no intervals.
 */
export const signalToNoise: Selector = {
  what: 'how much the gradients of the examples agree: their squared mean over their variance',
  needs: 'labels',
  async score(model, batches, options) {
    const head = withHead('signal-to-noise', model);
    const layers = layerParameters(model);
    const sums = layers.map((own) => own.map(({ shape }) => emptySums(shape)));
    const means = new LayerMeans('signal-to-noise', model);
    let count = 0;
    for await (const batch of batches)
      for (const one of singles(batch)) {
        const gradients = gradientsOf(head, one, layers);
        sums.forEach((own, i) => own.forEach((sum, j) => accumulate(sum, gradients[i]![j]!)));
        await realize(sums.flat().flatMap(({ first, second }) => [first, second]));
        count++;
        options.onProgress?.(count);
      }
    const weights = layers.map((own) => (own.length > 0 ? 1 : 0));
    if (count > 0) means.add(await ratios(sums, count), weights, count);
    if (count === 1) means.note('One example has no variance: all layers are alike.');
    return means.finish(options, 'it has no parameters that a gradient could reach');
  },
};

function emptySums(shape: Tensor['shape']): Sums {
  return { first: zeros(shape), second: zeros(shape) };
}

function accumulate(sum: Sums, gradient: Tensor): void {
  sum.first = sum.first.add(gradient);
  sum.second = sum.second.add(gradient.square());
}

async function ratios(sums: readonly (readonly Sums[])[], n: number): Promise<ArrayLike<number>> {
  const layers = sums.map((own) => {
    if (own.length === 0) return zeros([]);
    const terms = own.map(({ first, second }) => {
      const square = first.div(n).square();
      const variance = second.div(n).sub(square);
      const fixed = variance.le(square.mul(1e-6)); // but for rounding; false of NaN, which must be seen
      return { value: where(fixed, 0, square.div(where(fixed, 1, variance))), varies: fixed.not() };
    });
    const counted = total(
      terms.map(({ varies }) => varies.cast('f32')),
      (x) => x,
    );
    return total(
      terms.map(({ value }) => value),
      (x) => x,
    ).div(counted.maximum(1));
  });
  return stack(layers, 0).data();
}
