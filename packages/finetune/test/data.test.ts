/** @file From rows of a table to batches of few shapes. */
import { describe, expect, test } from 'vitest';
import { InputError } from '@camada/tensor';
import { parseTable, type Tokenizer } from '@camada/hub';
import type { BatchLimits } from '@camada/nn';
import { evaluationBatches, sampleRows, toBatch, trainingBatches } from '../src/data/batches.ts';
import { encodeBlocks } from '../src/data/blocks.ts';
import { cutLength, type Row } from '../src/data/encode.ts';
import { splitBlocks, splitExamples } from '../src/data/load.ts';
import { readExamples } from '../src/data/source.ts';
import { classNumbers, labelsOf, taskOfLabels, values } from '../src/data/targets.ts';
import { LabelMap, sortedLabels } from '../src/model/labels.ts';

const table = (text: string) => parseTable(text, 'tsv', 'file.tsv');
const read = (text: string) => readExamples(table(text), { text: 'text', label: 'label' });

describe('labels', () => {
  test('are ordered by value where all are numbers, else by code unit, whatever their order', () => {
    expect(sortedLabels(['10', '9', '10', '-1'])).toEqual(['-1', '9', '10']);
    expect(sortedLabels(['b', '10', 'B', 'a'])).toEqual(['10', 'B', 'a', 'b']);
  });

  test('suggest the task', async () => {
    expect(taskOfLabels(await read('text\tlabel\na\t0\nb\t1'))).toBe('classification');
    expect(taskOfLabels(await read('text\tlabel\na\t0.5\nb\t1'))).toBe('regression');
    expect(taskOfLabels(await read('text\tlabel\na\t0.5\nb\tx'))).toBe('classification');
  });

  test('a model with names of its own keeps them, also for numbers in the file', async () => {
    const examples = await read('text\tlabel\na\t0\nb\t1');
    expect(labelsOf(examples, ['no', 'yes']).names).toEqual(['no', 'yes']);
    expect(labelsOf(examples, ['a', 'b', 'c']).names).toEqual(['0', '1']);
    expect(classNumbers(examples, new LabelMap(['no', 'yes']))).toEqual([0, 1]);
    // Names that are numbers are never taken for positions.
    expect(new LabelMap(['5', '1']).numberOf('0')).toBeUndefined();
  });

  test('errors name the line', async () => {
    const examples = await read('text\tlabel\na\t0\nb\tx');
    expect(() => classNumbers(examples, new LabelMap(['0', '1']))).toThrow(
      /file\.tsv, line 3.*"x"/,
    );
    expect(() => values(examples)).toThrow(/file\.tsv, line 3.*"x"/);
    await expect(read('text\tlabel\na\t\nb\t1')).rejects.toThrow(/line 2: the label is empty/);
    expect(() =>
      labelsOf({ name: 'f', rows: [{ text: 'a', label: '1', line: 1 }] }, undefined),
    ).toThrow(/at least two labels/);
  });

  test('a column may be given by number, as text too', async () => {
    const source = parseTable('a\t1\nb\t0', 'tsv', 'bare.tsv', false);
    const { rows } = await readExamples(source, { text: '0', label: 1 });
    expect(rows.map(({ text, label }) => [text, label])).toEqual([
      ['a', '1'],
      ['b', '0'],
    ]);
    await expect(readExamples(source, { text: '2' })).rejects.toThrow(
      /column of the text: .*no column "2"/,
    );
  });
});

const row = (length: number, target: number): Row => ({
  ids: Array.from({ length }, () => 1),
  typeIds: Array.from({ length }, () => 0),
  target,
});

const rows = Array.from({ length: 103 }, (_, i) => row(3 + ((i * 37) % 60), i));
const limits: BatchLimits = {
  vocabSize: 10,
  maxLength: 64,
  tokenTypes: 2,
  labels: { kind: 'value', count: 1 },
  padTokenId: 0,
};

describe('batches', () => {
  const targets = (groups: readonly { rows: readonly Row[] }[]): number[] =>
    groups.flatMap((group) => group.rows.map((r) => Number(r.target)));

  test('training: full batches, each row at most once, in an order of the seed and the epoch', () => {
    const epoch = trainingBatches(rows, { batchSize: 8 }, 1, 0);
    expect(epoch).toHaveLength(12);
    expect(new Set(targets(epoch)).size).toBe(96);
    expect(targets(trainingBatches(rows, { batchSize: 8 }, 1, 0))).toEqual(targets(epoch));
    expect(targets(trainingBatches(rows, { batchSize: 8 }, 1, 1))).not.toEqual(targets(epoch));
    expect(targets(trainingBatches(rows, { batchSize: 8 }, 2, 0))).not.toEqual(targets(epoch));
    expect(trainingBatches(rows.slice(0, 3), { batchSize: 8 }, 1, 0)).toHaveLength(1);
  });

  test('evaluation: every row once, fillers apart', () => {
    const groups = evaluationBatches(rows, { batchSize: 8 });
    expect(groups.every((group) => group.rows.length === 8)).toBe(true);
    const real = groups.flatMap((group) => group.rows.slice(0, 8 - group.filler));
    expect(real.map((r) => r.target).sort((a, b) => Number(a) - Number(b))).toEqual(
      rows.map((r) => r.target),
    );
  });

  test('lengths are multiples of 16, so there are few shapes', () => {
    const shapes = trainingBatches(rows, { batchSize: 8 }, 1, 0).map((group) =>
      String(toBatch(group, limits, { maxLength: 62 }).inputIds.shape),
    );
    expect(new Set(shapes).size).toBeLessThanOrEqual(4);
    expect(shapes).toContain('8,62'); // never longer than texts may be
  });

  test('targets of filler rows of a language model are ignored', async () => {
    const tokens = { ids: [1, 2, 3], typeIds: [], target: [1, 2, 3] };
    const token: BatchLimits = { ...limits, tokenTypes: 0, labels: { kind: 'token', count: 10 } };
    const batch = toBatch({ rows: [tokens, tokens], filler: 1 }, token, { maxLength: 3 });
    expect(Array.from(await batch.labels!.data())).toEqual([1, 2, 3, -100, -100, -100]);
  });

  test('samples and held-out parts are drawn by the seed', () => {
    expect(sampleRows(rows, 5, 1)).toEqual(sampleRows(rows, 5, 1));
    const examples = { name: 'f', rows: rows.map((_, i) => ({ text: String(i), line: i })) };
    const { train, test: held } = splitExamples(examples, 4);
    expect(held.rows).toHaveLength(10);
    expect(new Set([...train.rows, ...held.rows].map((r) => r.text)).size).toBe(103);
    expect(() => splitBlocks({ name: 'f', rows: rows.slice(0, 1), truncated: 0 })).toThrow(
      InputError,
    );
  });
});

describe('blocks', () => {
  /** One id a letter, 'a' is 10; 1 opens a text, 2 ends one. */
  const letters = {
    bosId: 1,
    eosId: 2,
    encode: (text: string, _pair?: string, options?: { addSpecialTokens?: boolean }) => {
      const ids = [...text].map((letter) => letter.charCodeAt(0) - 87);
      return {
        ids: options?.addSpecialTokens === false ? ids : [1, ...ids],
        typeIds: [],
        attentionMask: [],
      };
    },
  } as unknown as Tokenizer;

  test('every token is predicted once, from a beginning', () => {
    const examples = {
      name: 'f',
      rows: [
        { text: 'abcde', line: 1 },
        { text: 'fg', line: 2 },
      ],
    };
    const { rows: blocks } = encodeBlocks(examples, letters, 4);
    expect(blocks.map((block) => block.ids)).toEqual([
      [1, 10, 11, 12],
      [1, 13, 14, 2],
      [1, 15, 16, 2],
    ]);
    expect(blocks[0]!.target).toEqual(blocks[0]!.ids);
  });

  test('long documents are tokenized in pieces and lose nothing', () => {
    const text = 'abcdefghij\n'.repeat(5000);
    const { rows: blocks } = encodeBlocks({ name: 'f', rows: [{ text, line: 1 }] }, letters, 512);
    const ids = blocks.flatMap((block) => block.ids.slice(1));
    expect(ids).toHaveLength(text.length + 1);
    expect(ids.slice(0, 12)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19, -77, 10]);
  });
});

test('the length to cut to is what the model and its tokenizer take', () => {
  const tokenizer = { maxLength: 48 } as unknown as Tokenizer;
  expect(cutLength(undefined, limits, tokenizer)).toBe(48);
  expect(cutLength(20, limits, tokenizer)).toBe(20);
  expect(() => cutLength(64, limits, tokenizer)).toThrow(/4 to 48/);
});
