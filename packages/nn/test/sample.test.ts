/** @file Sampling from logits, and where a text stops: against Transformers' processors and by hand. */
import {
  Random,
  beforeStop,
  probabilities,
  sampleToken,
  seedKey,
  type SampleOptions,
} from '@camada/nn';
import { describe, expect, it } from 'vitest';
import { goldenJson, maxDifference } from './support.ts';

interface Golden {
  readonly logits: readonly number[];
  readonly seen: readonly number[];
  readonly cases: readonly {
    readonly options: SampleOptions;
    readonly probabilities: readonly number[];
  }[];
}

const golden = goldenJson<Golden>('sampling.json');
/** Probabilities 0.5, 0.3, 0.15, 0.05 at temperature 1. */
const LOGITS = Float32Array.from([0.5, 0.3, 0.15, 0.05], Math.log);

function rounded(options: SampleOptions, seen: readonly number[] = []): number[] {
  return Array.from(probabilities(LOGITS, options, seen), (p) => Number(p.toFixed(4)));
}

describe('probabilities', () => {
  it.each(golden.cases)(
    'are those of Transformers with $options',
    ({ options, probabilities: expected }) => {
      const found = probabilities(golden.logits, options, golden.seen);
      expect(maxDifference(found, expected)).toBeLessThan(1e-6);
      expect(Array.from(found, (p) => p > 0)).toEqual(expected.map((p) => p > 0));
    },
  );

  it('are those that one computes by hand', () => {
    expect(rounded({})).toEqual([0.5, 0.3, 0.15, 0.05]);
    expect(rounded({ temperature: 0.5 })).toEqual([0.6849, 0.2466, 0.0616, 0.0068]); // p² of 0.365
    expect(rounded({ topK: 2 })).toEqual([0.625, 0.375, 0, 0]);
    expect(rounded({ topP: 0.75 })).toEqual([0.625, 0.375, 0, 0]);
    expect(rounded({ topP: 0.85 })).toEqual([0.5263, 0.3158, 0.1579, 0]);
    expect(rounded({ topP: 1e-9 })).toEqual([1, 0, 0, 0]);
    expect(rounded({ minP: 0.29 })).toEqual([0.5263, 0.3158, 0.1579, 0]); // at least 0.145
    expect(rounded({ topK: 3, topP: 0.75, minP: 0.7 })).toEqual([1, 0, 0, 0]); // at least 0.35
    expect(rounded({ repetitionPenalty: 2 }, [1, 1])).toEqual([0.6329, 0.1139, 0.1899, 0.0633]); // 0.3² = 0.09
  });

  it('keep all tokens that tie for the last place of top-k', () => {
    expect(Array.from(probabilities([2, 1, 1, 0], { topK: 2 }), (p) => p > 0)).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });
});

describe('sampleToken', () => {
  it('refuses logits that are not finite', () => {
    const draw = (): number => sampleToken(Float32Array.of(0, NaN), {}, new Random(seedKey(1)));
    expect(draw).toThrow(/not finite/);
  });

  it('takes the likeliest token at temperature 0, after the penalty', () => {
    const random = new Random(seedKey(1));
    expect(sampleToken(LOGITS, {}, random)).toBe(0);
    expect(sampleToken(LOGITS, { repetitionPenalty: 2 }, random, [0])).toBe(1);
  });

  it('draws as often as the probabilities say', () => {
    const random = new Random(seedKey(1));
    const counts = [0, 0, 0, 0];
    const draws = 20_000;
    for (let i = 0; i < draws; i++)
      counts[sampleToken(LOGITS, { temperature: 1, topK: 3 }, random)]!++;
    const expected = probabilities(LOGITS, { topK: 3 });
    // Six standard deviations of a share.
    for (const [id, p] of expected.entries())
      expect(Math.abs(counts[id]! / draws - p)).toBeLessThan(
        6 * Math.sqrt((p * (1 - p)) / draws) + 1e-9,
      );
  });
});

describe('beforeStop', () => {
  it('ends a text before the first of several stop strings', () => {
    expect(beforeStop('one\ntwo END', ['END', '\n'])).toEqual({ text: 'one', ended: true });
    expect(beforeStop('', ['x'])).toEqual({ text: '', ended: false });
  });

  it('holds back what may become a stop string, and half characters', () => {
    expect(beforeStop('say EN', ['END'])).toEqual({ text: 'say ', ended: false });
    expect(beforeStop('say EN?', ['END'])).toEqual({ text: 'say EN?', ended: false });
    expect(beforeStop('aab', ['abab', 'x'])).toEqual({ text: 'a', ended: false });
    expect(beforeStop('caf\uFFFD', [])).toEqual({ text: 'caf', ended: false });
  });
});
