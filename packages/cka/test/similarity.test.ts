import { readFileSync } from 'node:fs';
import { tensor, type Tensor } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { METRICS, compareModels, similarity, type MetricName } from '../src/index.ts';
import { batches, fakeModel, gaussian, tables } from './helpers.ts';

const golden = JSON.parse(
  readFileSync(new URL('./golden/measures.json', import.meta.url), 'utf8'),
) as Readonly<Record<MetricName, number>>;
const NAMES = Object.keys(METRICS) as MetricName[];

function table(n: number, p: number, f: (i: number, j: number) => number): Tensor {
  const data = Float64Array.from({ length: n * p }, (_, k) => f(Math.floor(k / p), k % p));
  return tensor(data, [n, p]);
}

const X = table(24, 5, (i, j) => Math.sin(1 + 3 * i + j + (i * j) / 7));
const Y = X.mul(tensor([1, 2, 3, 4, 5])).add(table(24, 5, (i, j) => Math.cos(i * (j + 1))));

/** An orthogonal map that mixes all 5 features: a reflection I − 2vvᵀ. */
function reflected(x: Tensor): Tensor {
  const v = tensor(
    Float64Array.of(0.1, 0.5, -0.3, 0.7, 0.4).map((a) => a / Math.sqrt(1)),
    [5, 1],
  );
  const square = v.square().sum();
  return x.sub(x.matmul(v).matmul(v.transpose()).mul(2).div(square));
}

describe('measures of similarity', () => {
  it.each(NAMES)('%s gives the value of the numpy oracle', async (metric) => {
    const options = metric === 'rbf-cka' ? ({ metric, estimator: 'biased' } as const) : { metric };
    expect(await similarity(X, Y, options)).toBeCloseTo(golden[metric], 6);
  });

  it('rbf-cka gives the golden vectors of the published notebook', async () => {
    const x = table(8, 3, (i, j) => Math.sin(1 + 3 * i + j));
    const y = table(8, 4, (i, j) => Math.cos(2 + 4 * i + j) + 0.5 * Math.sin(1 + 3 * i));
    const options = { metric: 'rbf-cka', estimator: 'biased' } as const;
    expect(await similarity(x, y, options)).toBeCloseTo(0.1500174561, 9);
    expect(await similarity(x, y, { ...options, bandwidth: 0.4 })).toBeCloseTo(0.3935448045, 9);
    const wide = await similarity(x, y, { ...options, bandwidth: 300 });
    const linear = await similarity(x, y, { metric: 'cka', estimator: 'biased' });
    expect(wide).toBeCloseTo(linear, 4); // Alvarez 2022: the limit is linear CKA
  });

  it.each(NAMES)('%s of a representation with itself is 1', async (metric) => {
    expect(await similarity(X, X, { metric })).toBeCloseTo(1, 9);
  });

  it.each(NAMES.filter((name) => name !== 'mean-cosine' && name !== 'pwcca'))(
    '%s does not change under orthogonal maps, scaling and shifts, but under stretching',
    async (metric) => {
      const before = await similarity(X, Y, { metric });
      const moved = reflected(X).mul(17).add(3);
      expect(await similarity(moved, Y, { metric })).toBeCloseTo(before, 4);
      const stretched = await similarity(X.mul(tensor([30, 1, 1, 1, 1])), Y, { metric });
      expect(Math.abs(stretched - before)).toBeGreaterThan(1e-3);
    },
  );

  it('mean-cosine does not change under one orthogonal map of both and scaling', async () => {
    const metric = 'mean-cosine';
    const before = await similarity(X, Y, { metric });
    const moved = await similarity(reflected(X).mul(5), reflected(Y), { metric });
    expect(moved).toBeCloseTo(before, 5);
  });

  it('pwcca does not change under scaling and shifts, but its weights hang on the axes', async () => {
    const metric = 'pwcca';
    const before = await similarity(X, Y, { metric });
    expect(await similarity(X.mul(17).add(3), Y, { metric })).toBeCloseTo(before, 6);
    expect(await similarity(X, reflected(Y), { metric })).toBeCloseTo(before, 5);
    expect(Math.abs((await similarity(reflected(X), Y, { metric })) - before)).toBeGreaterThan(
      1e-3,
    );
  });

  it('debiased is near 0 for unrelated data where biased is near 0.97', async () => {
    const [x, y] = [gaussian(64, 2048, 6), gaussian(64, 2048, 7)];
    expect(await similarity(x, y, { estimator: 'biased' })).toBeGreaterThan(0.96);
    expect(Math.abs(await similarity(x, y))).toBeLessThan(0.03);
    const rbf = { metric: 'rbf-cka' } as const;
    expect(await similarity(x, y, { ...rbf, estimator: 'biased' })).toBeGreaterThan(0.96);
    expect(Math.abs(await similarity(x, y, rbf))).toBeLessThan(0.03);
  });

  it.each(NAMES)('%s explains what it cannot compare', async (metric) => {
    const constant = tensor(
      new Float64Array(24 * 5).fill(metric === 'mean-cosine' ? 0 : 3),
      [24, 5],
    );
    await expect(similarity(constant, X, { metric })).rejects.toThrow(/same for all|all zeros/);
    const broken = X.add(
      tensor(
        Float64Array.from({ length: 120 }, (_, i) => (i === 38 ? NaN : 0)),
        [24, 5],
      ),
    );
    await expect(similarity(X, broken, { metric })).rejects.toThrow(/NaN in example 7/);
    const one = X.slice(0, 0, 1);
    await expect(similarity(one, one, { metric })).rejects.toThrow(/1 example is too few/);
    await expect(similarity(X, Y.slice(0, 0, 9), { metric })).rejects.toThrow(
      /\[24, 5\] and \[9, 5\]/,
    );
  });

  it('explains limits of single measures', async () => {
    const wide = [gaussian(12, 40, 1), gaussian(12, 40, 2)] as const;
    for (const metric of ['svcca', 'pwcca'] as const)
      await expect(similarity(...wide, { metric })).rejects.toThrow(
        /12 examples are too few.*perfectly/,
      );
    const mostlyEqual = table(12, 3, (i, j) => (i < 9 ? 1 : i + j * i));
    await expect(similarity(mostlyEqual, wide[0], { metric: 'rbf-cka' })).rejects.toThrow(
      /median distance is 0/,
    );
    await expect(
      similarity(X, wide[0].slice(0, 0, 12), { metric: 'mean-cosine' }),
    ).rejects.toThrow();
    await expect(similarity(X, Y, { metric: 'cosinus' as 'cka' })).rejects.toThrow(
      /known are cka, rbf-cka/,
    );
    await expect(similarity(X, Y, { metric: 'rbf-cka', bandwidth: 0 })).rejects.toThrow(
      /bandwidth 0/,
    );
    await expect(similarity(X, Y, { metric: 'svcca', variance: 2 })).rejects.toThrow(/variance 2/);
  });
});

describe('comparing models', () => {
  const N = 64;
  const base = [0, 1, 2].map((i) => gaussian(N, 6, 20 + i));
  const tuned = [base[0]!, base[1]!, base[2]!.add(gaussian(N, 6, 30).mul(3))];
  const first = fakeModel(2, tables(base));
  const second = fakeModel(2, tables(tuned));

  it.each(NAMES)('gives %s of all levels of both', async (metric) => {
    const { matrix, examples, notes } = await compareModels(first, second, batches(N, 16), {
      metric,
    });
    expect(examples).toBe(N);
    expect(notes).toEqual([]);
    expect(matrix[0]![0]).toBeCloseTo(1, 5);
    expect(matrix[2]![2]).toBeCloseTo(await similarity(base[2]!, tuned[2]!, { metric }), 5);
    expect(matrix[1]![2]).toBeCloseTo(await similarity(base[1]!, tuned[2]!, { metric }), 5);
  });

  it('takes mini-batches in bounded memory, other widths and other depths', async () => {
    const wider = fakeModel(1, tables([gaussian(N, 9, 40), base[2]!.matmul(gaussian(6, 9, 41))]));
    const exact = await compareModels(first, wider, batches(N, 32));
    const averaged = await compareModels(first, wider, batches(N, 32), { minibatch: true });
    expect(exact.matrix.map((row) => row.length)).toEqual([2, 2, 2]);
    expect(averaged.matrix[2]![1]).toBeCloseTo(exact.matrix[2]![1]!, 1);
    expect(averaged.examples).toBe(N);
    await expect(
      compareModels(first, wider, batches(N, 32), { minibatch: true, metric: 'rsa' }),
    ).rejects.toThrow(/not debiased rsa/);
    const cosine = await compareModels(first, wider, batches(N, 32), { metric: 'mean-cosine' });
    expect(cosine.matrix.flat().every((value) => value === null)).toBe(true);
    expect(cosine.notes[0]).toMatch(/these have 6 and 9/);
  });
});
