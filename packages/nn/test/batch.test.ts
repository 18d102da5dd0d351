/** @file Batches: padding, and the words in which bad rows are refused. */
import { InputError } from '@camada/tensor';
import { createBatch, type BatchLimits } from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { on } from './support.ts';

const limits: BatchLimits = {
  vocabSize: 10,
  maxLength: 4,
  tokenTypes: 2,
  padTokenId: 9,
  labels: { kind: 'class', count: 3 },
};
const values: BatchLimits = { ...limits, labels: { kind: 'value', count: 1 } };
const several: BatchLimits = { ...limits, labels: { kind: 'probability', count: 2 } };
const tokens: BatchLimits = { ...limits, labels: { kind: 'token', count: 10 } };

describe('createBatch', () => {
  beforeAll(() => on('reference'));

  it('pads rows, masks and token labels', async () => {
    const rows = { inputIds: [[1, 2, 3], [4]], labels: [[1, 2, 3], [4]] };
    const batch = createBatch(rows, tokens, 4);
    expect([...(await batch.inputIds.data())]).toEqual([1, 2, 3, 9, 4, 9, 9, 9]);
    expect([...(await batch.attentionMask.data())]).toEqual([1, 1, 1, 0, 1, 0, 0, 0]);
    expect([...(await batch.labels!.data())]).toEqual([1, 2, 3, -100, 4, -100, -100, -100]);
    expect(batch.inputIds.shape).toEqual([2, 4]);
  });

  it('makes labels of the kind that the model wants', async () => {
    const inputIds = [[1], [2]];
    expect(createBatch({ inputIds, labels: [2, -100] }, limits).labels!.dtype).toBe('i32');
    const real = createBatch({ inputIds, labels: [0.5, -1] }, values).labels!;
    expect([real.dtype, real.shape]).toEqual(['f32', [2]]);
    const flags = createBatch(
      {
        inputIds,
        labels: [
          [1, 0],
          [0.25, 1],
        ],
      },
      several,
    ).labels!;
    expect([flags.dtype, flags.shape]).toEqual(['f32', [2, 2]]);
    const chosen = createBatch({ inputIds, positions: [1], labels: [7] }, tokens);
    expect([chosen.labels!.shape, chosen.positions!.shape]).toEqual([[1], [1]]);
  });

  it.each([
    [{ inputIds: [] }, limits, /at least one row/],
    [{ inputIds: [[1], []] }, limits, /row 1 of the batch has no tokens/],
    [{ inputIds: [[1], [10]] }, limits, /row 1: token id 10 is not in 0 to 9/],
    [{ inputIds: [[1, -1]] }, limits, /row 0: token id -1/],
    [{ inputIds: [[1, NaN]] }, limits, /token id NaN/],
    [{ inputIds: [[1, 2, 3, 4, 5]] }, limits, /5 tokens do not fit a model of 4 positions/],
    [{ inputIds: [[1]], attentionMask: [[1, 1]] }, limits, /attentionMask has 2 numbers for 1 ids/],
    [{ inputIds: [[1]], attentionMask: [[2]] }, limits, /attention mask 2/],
    [{ inputIds: [[1]], tokenTypeIds: [[2]] }, limits, /token type 2 is not in 0 to 1/],
    [{ inputIds: [[1]], labels: [3] }, limits, /label 3 is not in 0 to 2; the model has 3 classes/],
    [{ inputIds: [[1]], labels: [1, 2] }, limits, /2 labels were given for 1 rows/],
    [{ inputIds: [[1]], labels: [NaN] }, values, /label NaN is not 1 finite number/],
    [{ inputIds: [[1]], labels: [[1, 2]] }, several, /row 0: label 1, 2 is not 0 or 1/],
    [{ inputIds: [[1]], labels: [[1]] }, several, /label 1 is not 2 finite number/],
    [{ inputIds: [[1]], labels: [[1, NaN]] }, several, /label 1, NaN is not 2 finite/],
    [{ inputIds: [[1]], labels: [[1, 2]] }, tokens, /2 labels for 1 tokens/],
    [{ inputIds: [[1]], positions: [1], labels: [1] }, tokens, /position 1 is not in 0 to 0/],
  ])('refuses %j', (rows, accepted, message) => {
    const make = (): unknown => createBatch(rows, accepted);
    expect(make).toThrow(InputError);
    expect(make).toThrow(message);
  });
});
