import { describe, expect, it } from 'vitest';
import { allotRanks, rankLayers, selectLayers, selectWithin, type Ranked } from '../src/index.ts';
import './helpers.ts';

function ranked(importances: readonly number[], protocol: Ranked['protocol'] = 'camada'): Ranked {
  const layers = importances.map((importance, index) => {
    return { index, name: `layer.${index}`, importance, low: 0, high: 1 };
  });
  return { layers, protocol };
}

describe('selection', () => {
  const six = ranked([0.1, 0.5, 0.3, 0.5, 0.2, 0.4]);

  it('ranks by importance, ties by depth', () => {
    expect(rankLayers(six)).toEqual([1, 3, 5, 2, 4, 0]);
  });

  it.each([
    [{}, [1, 3, 5]],
    [{ keep: 0.5 }, [1, 3, 5]],
    [{ keep: 0.34 }, [1, 3]],
    [{ keep: 0.49 }, [1, 3]],
    [{ keep: 1 }, [0, 1, 2, 3, 4, 5]],
    [{ keep: 4 }, [1, 2, 3, 5]],
    [{ count: 1 }, [1]],
  ])('%o chooses %o', (options, expected) => {
    expect(selectLayers(six, options)).toEqual(expected);
  });

  it('rounds down without stumbling over 0.29 · 100', () => {
    expect(selectLayers(ranked(new Array<number>(100).fill(0)), { keep: 0.29 })).toHaveLength(29);
  });

  it('follows the published slice for encoders', () => {
    expect(selectLayers({ ...six, protocol: 'paper-encoder' })).toEqual([2, 3, 5]);
    expect(selectLayers({ ...six, protocol: 'paper-decoder' })).toEqual([1, 3, 5]);
  });

  it.each([
    [{ keep: 0 }, /keep 0 is neither/],
    [{ keep: -1 }, /keep -1 is neither/],
    [{ keep: NaN }, /keep NaN is neither/],
    [
      { keep: 0.1 },
      /keep 0\.1 of 6 layers is 0 layers; choose 1 to 6, or a share of at least 0\.17/,
    ],
    [{ keep: 7 }, /keep 7 is 7 layers; choose 1 to 6/],
    [{ keep: 2.5 }, /keep 2\.5 is no whole number of layers/],
    [{ count: 0 }, /count 0 is 0 layers/],
  ])('%o is refused', (options, message) => {
    expect(() => selectLayers(six, options)).toThrow(message);
  });

  it('takes what is above a threshold', () => {
    expect(selectLayers(six, { threshold: 0.25 })).toEqual([1, 2, 3, 5]);
    expect(selectLayers({ ...six, protocol: 'paper-encoder' }, { threshold: 0.25 })).toEqual([
      2, 3, 5,
    ]);
    expect(() => selectLayers(six, { threshold: 0.5 })).toThrow(
      /no layer is above the threshold 0\.5; the largest is layer 1 with 0\.500/,
    );
  });

  it('takes the most important that a budget allows, passing over what does not fit', async () => {
    const prices = [1, 3, 4, 3, 1, 1];
    const cost = (layers: readonly number[]): number =>
      layers.reduce((sum, layer) => sum + prices[layer]!, 0);
    expect(await selectWithin(six, { limit: 5, cost })).toEqual([1, 4, 5]);
    expect(await selectWithin(six, { limit: 100, cost })).toEqual([0, 1, 2, 3, 4, 5]);
    await expect(selectWithin(six, { limit: 0.5, cost })).rejects.toThrow(
      /budget of 0\.5 does not allow a single layer; the cheapest costs 1/,
    );
    // What training costs often follows from the lowest layer alone.
    const depth = (layers: readonly number[]): number => 6 - Math.min(...layers);
    expect(await selectWithin(six, { limit: 3, cost: depth })).toEqual([3, 4, 5]);
  });

  it('refuses two rules at once', () => {
    expect(() => selectLayers(six, { count: 2, threshold: 0.1 })).toThrow(
      /count and threshold exclude/,
    );
  });

  it('allots ranks by importance at the same number of parameters', () => {
    expect([...allotRanks(six, [1, 3, 5], 8)]).toEqual([
      [1, 9],
      [3, 8],
      [5, 7],
    ]);
    expect([...allotRanks(ranked([0, 0, 0]), [0, 2], 4).values()]).toEqual([4, 4]);
    expect([...allotRanks(ranked([1000, 1]), [0, 1], 2).values()]).toEqual([3, 1]);
    expect(() => allotRanks(six, [1], 0)).toThrow(/rank 0/);
  });
});
