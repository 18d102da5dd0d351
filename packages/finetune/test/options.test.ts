/** @file Reading the command line, and the progress line. */
import { describe, expect, test } from 'vitest';
import { nearest, parseOptions, type OptionTable } from '../src/cli/options.ts';
import { duration, progressLine } from '../src/cli/screen.ts';
import { settingsOf } from '../src/run/options.ts';
import { usualLearningRate } from '../src/train/method.ts';

const table = {
  model: { type: 'text', value: 'DIR', help: 'the model', required: true },
  rate: { type: 'number', value: 'X', help: 'the rate' },
  steps: { type: 'integer', value: 'N', help: 'the steps' },
  kind: { type: 'text', value: 'K', help: 'the kind', choices: ['one', 'two'] },
  json: { type: 'flag', help: 'as JSON' },
} as const satisfies OptionTable;

const parse = (...args: string[]) => parseOptions(table, args, 'test');

describe('options', () => {
  test('are typed, and undefined when left out', () => {
    expect(parse('--model', 'a', '--rate', '1e-3', '--json')).toEqual({
      model: 'a',
      rate: 1e-3,
      steps: undefined,
      kind: undefined,
      json: true,
    });
    expect(parse('--model=a b', '--steps=3')).toMatchObject({
      model: 'a b',
      steps: 3,
      json: false,
    });
  });

  test.each<[string[], RegExp]>([
    [[], /needs --model DIR/],
    [['--modle', 'a'], /Did you mean --model\?/],
    [['--zzz', 'a'], /no option --zzz\. See/],
    [['--model'], /--model needs a value/],
    [['--model', '--json'], /--model needs a value/],
    [['--model', 'a', 'b'], /does not know what "b" is for/],
    [['--model', 'a', '--model', 'b'], /given twice/],
    [['--model', 'a', '--rate', 'x'], /"x", but must be a number/],
    [['--model', 'a', '--rate', ''], /must be a number/],
    [['--model', 'a', '--steps', '1.5'], /must be a whole number/],
    [['--model', 'a', '--kind', 'three'], /one, two/],
    [['--model', 'a', '--json=1'], /takes no value/],
    [['--model', 'a', '--constructor', 'x'], /no option --constructor/],
  ])('%j is refused', (args, message) => expect(() => parse(...args)).toThrow(message));

  test('near words', () => {
    expect(nearest('lerning-rate', ['learning-rate', 'layers'])).toBe('learning-rate');
    expect(nearest('banana', ['learning-rate', 'layers'])).toBeUndefined();
  });
});

test('the progress line', () => {
  expect(progressLine('Training', 5, 20, 'loss 0.5', 0.5)).toBe(
    'Training █████░░░░░░░░░░░░░░░ 5/20  loss 0.5  0.500/s  30s left',
  );
  expect([12, 185, 3720].map(duration)).toEqual(['12s', '3m05s', '1h02m']);
});

describe('settings of a run', () => {
  const data = { train: 'x.tsv' };
  test.each<[object, RegExp]>([
    [{ epochs: 0 }, /epochs is 0/],
    [{ batchSize: 1.5 }, /batch-size is 1.5/],
    [{ learningRate: -1 }, /learning-rate is -1/],
    [{ learningRate: Number.NaN }, /learning-rate is NaN/],
    [{ warmupRatio: 2 }, /warmup-ratio is 2/],
    [{ seed: -1 }, /seed is -1/],
    [{ method: { type: 'magic' } }, /'magic' is unknown/],
    [{ layers: 'some' }, /layers 'some'/],
  ])('%j is refused', (options, message) =>
    expect(() => settingsOf({ data, ...options })).toThrow(message),
  );

  test('usual learning rates', () => {
    const rates = [64, 384, 768, 4096].map((width) => usualLearningRate({ type: 'lora' }, width));
    expect(rates).toEqual([5e-3, 2e-3, 1e-3, 2e-4]);
    expect(usualLearningRate({ type: 'full' }, 768)).toBe(5e-5);
  });
});
