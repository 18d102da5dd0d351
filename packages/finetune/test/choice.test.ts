/** @file Which layers a choice means, and which words are refused. */
import { describe, expect, test } from 'vitest';
import { InputError } from '@camada/tensor';
import type { ImportanceReport } from '@camada/cka';
import { SELECTORS } from '@camada/cka';
import type { Model } from '@camada/nn';
import { checkChoice, layerChoice, type LayersOption } from '../src/select/choice.ts';
import type { CostModel } from '../src/select/predict.ts';
import { resolveLayers } from '../src/select/resolve.ts';

const importances = [0.1, 0.4, 0.05, 0.3, 0.2, 0.02];
const report: ImportanceReport = {
  layers: importances.map((importance, index) => ({
    index,
    name: `layer.${index}`,
    importance,
    low: importance,
    high: importance,
  })),
  matrix: [],
  examples: 64,
  protocol: 'camada',
  estimator: 'debiased',
  pooling: 'mean',
  lastHidden: 'raw',
  stability: 1,
  outliers: null,
  notes: [],
};

/** Costs as of 6 equal layers whose backward pass ends at the lowest. */
const costs = {
  of: (layers: readonly number[]) =>
    Promise.resolve({
      parameters: 100 * layers.length,
      peakBytes: 2 ** 20 * (10 + 6 - Math.min(...layers)),
      seconds: 0.1 * (6 - Math.min(...layers)),
    }),
} as unknown as CostModel;

async function chosen(option: LayersOption): Promise<number[]> {
  const choice = layerChoice(option);
  checkChoice(choice, 6);
  const { select } = choice;
  const position = select !== 'list' && SELECTORS[select].needs === 'nothing';
  const seed = 'seed' in choice ? (choice.seed ?? 0) : 0;
  const ranked = position
    ? await SELECTORS[select].score({ layers: report.layers } as unknown as Model, [], { seed })
    : report;
  return resolveLayers(choice, ranked, () => Promise.resolve(costs));
}

describe('layers', () => {
  test.each<[LayersOption, number[]]>([
    ['all', [0, 1, 2, 3, 4, 5]],
    ['cka:0.5', [1, 3, 4]],
    ['cka', [1, 3, 4]],
    ['cka:2', [1, 3]],
    ['last:2', [4, 5]],
    ['first:2', [0, 1]],
    ['4,0,4', [0, 4]],
    ['0, 2', [0, 2]],
    [{ select: 'cka', keep: 0.34 }, [1, 3]],
    [
      [5, 2],
      [2, 5],
    ],
    ['alternate:3', [1, 3, 5]],
    ['last:0.5', [3, 4, 5]],
    ['fisher:2', [1, 3]],
    ['cka:>0.15', [1, 3, 4]],
    ['last-token-cosine:threshold', [1, 3, 4]],
    ['cka:parameters=200', [1, 3]],
    ['cka:parameters=0.5', [1, 3, 4]],
    ['cka:memory=13', [3, 4, 5]],
    ['cka:time=301', [3, 4, 5]],
    ['cka:time=0.5', [3, 4, 5]],
  ])('%j', async (option, expected) => expect(await chosen(option)).toEqual(expected));

  test('random: by the seed, without repetition', async () => {
    expect(await chosen('random:3:7')).toEqual(await chosen('random:3:7'));
    const seeds = Array.from({ length: 20 }, (_, seed) => seed);
    const drawn = await Promise.all(seeds.map((seed) => chosen(`random:3:${seed}`)));
    for (const layers of drawn) expect(new Set(layers).size).toBe(3);
    expect(new Set(drawn.map(String)).size).toBeGreaterThan(5);
  });

  test.each([
    '',
    'some',
    'cka:x',
    'cka:',
    'last',
    'last:0',
    'last:7',
    'random',
    '6',
    '0,9',
    '1;2',
    'cka:9',
    'cka:>',
    'cka:>0.9',
    'cka:threshold',
    'cka:parameters=10',
    'cka:parameters=0',
    'cka:watts=3',
    'cka:0.5:7',
    'random:3:7:1',
  ])('refused: %j', (text) => expect(chosen(text)).rejects.toThrow(InputError));
});
