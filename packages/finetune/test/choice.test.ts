/** @file Which layers a choice means, and which words are refused. */
import { describe, expect, test } from 'vitest';
import { InputError } from '@camada/tensor';
import type { ImportanceReport } from '@camada/cka';
import { chosenLayers, layerChoice, type LayersOption } from '../src/select/choice.ts';

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

const chosen = (option: LayersOption): number[] => chosenLayers(layerChoice(option), 6, report);

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
  ])('%j', (option, expected) => expect(chosen(option)).toEqual(expected));

  test('random: by the seed, without repetition', () => {
    expect(chosen('random:3:7')).toEqual(chosen('random:3:7'));
    const drawn = Array.from({ length: 20 }, (_, seed) => chosen(`random:3:${seed}`));
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
  ])('refused: %j', (text) => expect(() => chosen(text)).toThrow(InputError));
});
