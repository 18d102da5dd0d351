/** @file Shared by the selectors that look at a layer's input and output, token by token or at the last one. */
import { realize, stack, type Tensor } from '@camada/tensor';
import { createContext, hiddenStates, lastToken, type Batch, type Model } from '@camada/nn';
import { LayerMeans } from './summary.ts';
import type { Batches, LayerScores, ScoreOptions } from './selector.ts';

/** Values [B] of the examples for one layer, and their weights [B]. */
export interface Measured {
  readonly values: Tensor;
  readonly weights: Tensor;
}

/** @param before hidden states [B, T, C] that the layer receives. @param after those that it hands on. @param mask [B, T]. */
export type Measure = (before: Tensor, after: Tensor, mask: Tensor) => Measured;

/** Like `overLayers` for a measure at the last real token, with a word where that is the same token in all texts. */
export async function overLastTokens(
  name: string,
  model: Model,
  batches: Batches,
  options: ScoreOptions,
  measure: (before: Tensor, after: Tensor) => Measured,
): Promise<LayerScores> {
  const seen = new Set<number>();
  const watched = (async function* () {
    for await (const batch of batches) {
      for (const id of await lastIds(batch)) seen.add(id);
      yield batch;
    }
  })();
  const scores = await overLayers(name, model, watched, options, (before, after, mask) =>
    measure(lastToken(before, mask), lastToken(after, mask)),
  );
  if (seen.size !== 1) return scores;
  const note =
    `The last token of all texts is the same (id ${[...seen].join()}), for example an end token: its state alone is measured. ` +
    'Leave that token out, or use block-influence, which looks at all tokens.';
  return { ...scores, notes: [note, ...scores.notes] };
}

/** The last real token of each row. */
async function lastIds({ inputIds, attentionMask }: Batch): Promise<number[]> {
  const [ids, mask] = [await inputIds.data(), await attentionMask.data()];
  const length = inputIds.shape[1]!;
  return Array.from({ length: inputIds.shape[0]! }, (_, row) => {
    const real = mask.subarray(row * length, (row + 1) * length).lastIndexOf(1);
    return ids[row * length + Math.max(0, real)]!;
  });
}

/** Why a layer has no score by these selectors. */
const ALL_ZERO = 'its input or its output is zero for all examples, which has no direction';

/** Means of a measure over all examples, in one forward pass before the final norm. */
export async function overLayers(
  name: string,
  model: Model,
  batches: Batches,
  options: ScoreOptions,
  measure: Measure,
): Promise<LayerScores> {
  const means = new LayerMeans(name, model);
  for await (const batch of batches) {
    const states = hiddenStates(model, batch, createContext({ training: false }));
    const mask = batch.attentionMask.ne(0).cast('f32'); // [B, T]
    const measured = states.slice(1).map((after, i) => measure(states[i]!, after, mask));
    const values = stack(
      measured.map(({ values: x }) => x),
      0,
    ); // [L, B]
    const weights = stack(
      measured.map(({ weights: x }) => x),
      0,
    ); // [L, B]
    await realize([values, weights]);
    addExamples(means, await values.data(), await weights.data(), batch.inputIds.shape[0]!);
    [values, weights].forEach((tensor) => tensor.dispose());
    options.onProgress?.(means.examples);
  }
  return means.finish(options, ALL_ZERO);
}

function addExamples(
  means: LayerMeans,
  values: ArrayLike<number>,
  weights: ArrayLike<number>,
  count: number,
): void {
  const layers = values.length / count;
  for (let example = 0; example < count; example++) {
    const column = (data: ArrayLike<number>): number[] =>
      Array.from({ length: layers }, (_, layer) => data[layer * count + example]!);
    means.add(column(values), column(weights), 1);
  }
}

/**
 * 1 − cosine of the rows of a and b [.., C], and weight 1; where one of them is zero, value and weight are 0, so that a zero
 * vector is not taken for a great change.
 */
export function cosineChange(a: Tensor, b: Tensor): Measured {
  const { cosine, weights } = cosineOf(a, b);
  return { values: cosine.neg().add(1).mul(weights), weights };
}

/** The cosine of the rows of a and b [.., C], in [−1, 1], and whether both have a direction (1 or 0). */
export function cosineOf(a: Tensor, b: Tensor): { cosine: Tensor; weights: Tensor } {
  const [x, y] = [unit(a), unit(b)];
  const cosine = x.rows.mul(y.rows).sum(-1).clamp(-1, 1);
  return { cosine, weights: x.real.mul(y.real) };
}

/** Rows by their length: by their largest element first, whose square cannot overflow. */
function unit(x: Tensor): { rows: Tensor; real: Tensor } {
  const largest = x.abs().max(-1, true); // [.., 1]
  const scaled = x.div(largest.maximum(1e-30));
  const length = scaled.square().sum(-1, true).sqrt().maximum(1e-30);
  return { rows: scaled.div(length), real: largest.squeeze(-1).gt(1e-30).cast('f32') };
}
