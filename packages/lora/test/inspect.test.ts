/** @file Looking inside adapters, against NumPy on the whole ΔW (tools/oracle/operations.py). */
import {
  adapterFactors,
  amplification,
  decompose,
  measureUpdate,
  openAdapter,
  similarityOfAll,
  spaceOf,
  subspaceSimilarity,
  type HostFactors,
} from '@camada/lora';
import { getParameter } from '@camada/nn';
import { InputError, tensor } from '@camada/tensor';
import { Matrix } from '@camada/tensor/linalg';
import { beforeAll, describe, expect, test } from 'vitest';
import { golden, json, maxDifference, numbers, on, tiny } from './support.ts';

interface Measures {
  readonly spectrum: readonly number[];
  readonly effectiveRank: number;
  readonly stableRank: number;
  readonly norm: number;
  readonly inside: number;
  readonly amplification: number;
  readonly own: number;
  readonly weightNorm: number;
}

interface Facts {
  readonly measures: Readonly<Record<string, Measures>>;
  readonly similarityA: readonly (readonly number[])[];
  readonly similarityB: readonly (readonly number[])[];
}

const FACTS: Facts = json(golden('operations/golden.json'));
const QUERY = 'bert.encoder.layer.1.attention.self.query';

async function factors(name: string): Promise<HostFactors> {
  const place = name === 'default' ? '' : `/${name}`;
  return adapterFactors(await openAdapter(golden(`operations/adapters${place}`))).get(QUERY)!;
}

function random(rows: number, columns: number, seed: number): Matrix {
  const values = numbers(rows * columns, seed);
  return Matrix.from(rows, columns, (i, j) => values[i * columns + j]!);
}

const flat = (rows: readonly (readonly number[])[]): number[] => rows.flat();

beforeAll(() => on('wasm'));

describe('against NumPy', () => {
  test.each(Object.keys(FACTS.measures))('spectrum and ranks of %s', async (name) => {
    const ours = measureUpdate(await factors(name));
    const theirs = FACTS.measures[name]!;
    expect(ours.rank).toBe(theirs.spectrum.length);
    expect(maxDifference(ours.spectrum, theirs.spectrum)).toBeLessThan(2e-6);
    for (const key of ['effectiveRank', 'stableRank', 'norm'] as const)
      expect(ours[key] / theirs[key], key).toBeCloseTo(1, 7);
  });

  test.each(Object.keys(FACTS.measures))('amplification by %s', async (name) => {
    const weight = getParameter(await tiny('bert-classifier'), `${QUERY}.weight`);
    const ours = await amplification(weight, await factors(name), 2);
    const theirs = FACTS.measures[name]!;
    expect(ours.k).toBe(2);
    expect(ours.weightNorm / theirs.weightNorm).toBeCloseTo(1, 5);
    expect(ours.inside / theirs.inside).toBeCloseTo(1, 5);
    expect(ours.factor / theirs.amplification).toBeCloseTo(1, 5);
    expect(ours.own / theirs.own).toBeCloseTo(1, 3);
    expect(ours.random).toBeCloseTo((theirs.weightNorm * 2) / 32, 4);
  });

  test('φ of A and of B for all i and j', async () => {
    const [one, two] = [await factors('default'), await factors('narrow')];
    for (const space of ['A', 'B'] as const) {
      const ours = subspaceSimilarity(spaceOf(one, space), spaceOf(two, space));
      expect(maxDifference(flat(ours), flat(FACTS[`similarity${space}`]))).toBeLessThan(1e-7);
    }
  });
});

describe('the decomposition', () => {
  test('gives ΔW back, with orthonormal vectors and a scale of any sign', () => {
    const [A, B] = [random(3, 9, 1), random(7, 3, 2)];
    const { u, s, v } = decompose({ A, B, scale: -2 });
    const scaled = Matrix.from(u.rows, u.columns, (i, j) => u.at(i, j) * s[j]!);
    const product = scaled.times(v.transpose());
    const exact = B.times(A);
    for (let i = 0; i < 7; i++)
      for (let j = 0; j < 9; j++) expect(product.at(i, j)).toBeCloseTo(-2 * exact.at(i, j), 12);
    const eye = u.transpose().times(u);
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < 3; j++) expect(eye.at(i, j)).toBeCloseTo(Number(i === j), 12);
    expect(s[0]!).toBeGreaterThanOrEqual(s[1]!);
  });

  test('a fresh adapter, B = 0, has measures of zero and no NaN', () => {
    const B = Matrix.from(5, 2, () => 0);
    const measures = measureUpdate({ A: random(2, 6, 1), B, scale: 4 });
    expect(measures).toEqual({
      rank: 2,
      spectrum: [0, 0],
      norm: 0,
      effectiveRank: 0,
      stableRank: 0,
    });
  });

  test('one direction has effective and stable rank 1; r equal ones have r', () => {
    const one = { A: random(1, 6, 1), B: random(5, 1, 2), scale: 3 };
    expect(measureUpdate(one).effectiveRank).toBeCloseTo(1, 12);
    expect(measureUpdate(one).stableRank).toBeCloseTo(1, 12);
    const equal = { A: Matrix.identity(4), B: Matrix.identity(4), scale: 2 };
    expect(measureUpdate(equal).effectiveRank).toBeCloseTo(4, 12);
    expect(measureUpdate(equal).stableRank).toBeCloseTo(4, 12);
  });
});

describe('similarity of subspaces', () => {
  test('a space contains itself, and a turned basis is the same space', () => {
    const A = random(3, 8, 5);
    const mixed = random(3, 3, 6).times(A);
    const [own, turned] = [A, mixed].map((a) => spaceOf({ A: a, B: a, scale: 1 }, 'A'));
    expect(subspaceSimilarity(own!, own!).at(-1)!.at(-1)).toBeCloseTo(1, 12);
    expect(subspaceSimilarity(own!, turned!).at(-1)!.at(-1)).toBeCloseTo(1, 12);
    const all = similarityOfAll([own!, turned!]);
    for (const value of flat(all)) expect(value).toBeCloseTo(1, 12);
  });

  test('orthogonal spaces have 0, and a part is contained', () => {
    const eye = Matrix.identity(6).data;
    const take = (...rows: number[]): Matrix => new Matrix(rows.map((i) => eye[i]!)).transpose();
    expect(subspaceSimilarity(take(0, 1), take(2, 3, 4))).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(subspaceSimilarity(take(0), take(1, 0, 2))).toEqual([[0, 1, 1]]);
  });

  test('of random spaces it is max(i, j) / d on average', () => {
    let sum = 0;
    for (let seed = 0; seed < 40; seed++) {
      const [one, two] = [random(4, 64, 3 * seed + 1), random(8, 64, 7919 * seed + 5)];
      const spaces = [one, two].map((A) => spaceOf({ A, B: A, scale: 1 }, 'A'));
      sum += subspaceSimilarity(spaces[0]!, spaces[1]!).at(-1)!.at(-1)! / 40;
    }
    expect(sum).toBeCloseTo(8 / 64, 1);
    expect(Math.abs(sum - 8 / 64)).toBeLessThan(0.02);
  });
});

describe('refused', () => {
  test('spaces and weights of another model, and other methods', async () => {
    expect(() => subspaceSimilarity(Matrix.identity(3), Matrix.identity(4))).toThrow(
      /3 and 4 axes cannot be compared/,
    );
    const own = await factors('default');
    const wrong = tensor(new Float32Array(12), [3, 4]);
    await expect(amplification(wrong, own)).rejects.toThrow(InputError);
    const data = await openAdapter(golden('operations/adapters'));
    const method = { ...data.method, peftType: 'IA3' };
    expect(() => adapterFactors({ ...data, method })).toThrow(/this adapter is IA3/);
  });
});
