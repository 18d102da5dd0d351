/** @file Sentence embeddings of texts, as sentence-transformers makes them. */
import { InputError } from '@camada/tensor';
import { createContext, emptyModel, loadWeights, sentenceEmbedding, type Model } from '@camada/nn';
import { disposeBatch, evaluationBatches, toBatch } from '../data/batches.ts';
import type { Row } from '../data/encode.ts';
import { weightOptions, type LoadedModel } from '../model/load.ts';
import { readSentenceModel, type SentenceModel } from '../model/sentence.ts';

/** Choices of `embed`. */
export interface EmbedOptions {
  /** Texts at a time; 32. */
  readonly batchSize?: number;
  /** Longest text in tokens, longer ones are cut; what the folder says when left out, else the model's limit. */
  readonly maxLength?: number;
}

/** Without `modules.json`, sentence-transformers takes the mean. */
const USUAL: SentenceModel = {
  pooling: ['mean_tokens'],
  normalize: false,
  maxLength: undefined,
  lowerCase: false,
};

/**
 * One vector for each text: pooled and normalised as `modules.json` of the model's folder says; the mean of the
 * tokens where there is none. Throws InputError when a file does not fit or a text has no tokens.
 */
export async function embed(
  loaded: LoadedModel,
  texts: readonly string[],
  options: EmbedOptions = {},
): Promise<Float32Array[]> {
  if (texts.length === 0) return [];
  const sentence = (await readSentenceModel(loaded.folder.folder)) ?? USUAL;
  const model = emptyModel(loaded.folder.config.values, 'features');
  await loadWeights(model, loaded.folder.tensors, weightOptions(loaded));
  const most = Math.min(model.limits.maxLength, loaded.tokenizer.maxLength ?? Infinity);
  const maxLength = Math.min(options.maxLength ?? sentence.maxLength ?? most, most);
  const rows = texts.map((text, i) => encode(loaded, text, i, sentence.lowerCase, maxLength));
  const vectors = new Map<Row, Float32Array>();
  for (const group of evaluationBatches(rows, { batchSize: options.batchSize ?? 32 })) {
    const batch = toBatch(group, model.limits, { maxLength });
    const data = await vectorsOf(model, batch, sentence);
    const width = data.length / group.rows.length;
    for (const [i, row] of group.rows.entries())
      vectors.set(row, data.slice(i * width, (i + 1) * width));
    disposeBatch(batch);
  }
  return rows.map((row) => vectors.get(row)!);
}

function encode(
  { tokenizer, name }: LoadedModel,
  text: string,
  index: number,
  lowerCase: boolean,
  maxLength: number,
): Row {
  const { ids, typeIds } = tokenizer.encode(lowerCase ? text.toLowerCase() : text, undefined, {
    maxLength,
  });
  if (ids.length > 0) return { ids, typeIds, target: undefined };
  throw new InputError(`${name}: text ${index} is empty; it has no embedding.`);
}

async function vectorsOf(
  model: Model,
  batch: ReturnType<typeof toBatch>,
  sentence: SentenceModel,
): Promise<Float32Array> {
  const { hidden } = model.call(batch, createContext()); // [B, T, C]
  const vectors = sentenceEmbedding(hidden, batch.attentionMask, sentence); // [B, P·C]
  const data = Float32Array.from(await vectors.data());
  vectors.dispose();
  return data;
}
