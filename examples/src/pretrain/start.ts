/**
 * @file The model before its first step. Two things are known from counting alone and need no gradient: how frequent each
 * piece is (the bias of the prediction head) and which pieces keep company (the word embeddings). Starting from them saves
 * the first epochs of a run that has minutes.
 */
import { tensor } from '@camada/tensor';
import { BertForMaskedLM, getParameter, initializeParameters, parseBertConfig } from '@camada/nn';
import { positiveMutualInformation } from './cooccurrence.ts';
import { factorise } from './factorise.ts';
import type { PretrainOptions } from './options.ts';
import type { PretrainingText } from './text.ts';

/** Standard deviation of the word embeddings at the start; the other weights have BERT's 0.02. */
const embeddingDeviation = 0.05;

/** The record of `config.json`. */
export function configJson(options: PretrainOptions): Record<string, unknown> {
  return {
    architectures: ['BertForMaskedLM'],
    model_type: 'bert',
    vocab_size: options.vocabulary,
    hidden_size: options.hidden,
    num_hidden_layers: options.layers,
    num_attention_heads: options.heads,
    intermediate_size: 4 * options.hidden,
    hidden_act: 'gelu',
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    max_position_embeddings: options.sequence,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
    initializer_range: 0.02,
    pad_token_id: 0,
    position_embedding_type: 'absolute',
    tie_word_embeddings: true,
  };
}

/** A model with seeded normal weights, as BERT starts. */
export function createModel(options: PretrainOptions): BertForMaskedLM {
  const model = new BertForMaskedLM(parseBertConfig(configJson(options)));
  initializeParameters(model, 0.02, options.seed);
  return model;
}

/** Sets the word embeddings and the prediction bias from counts of the training text; about 15 seconds. */
export function startFromCounts(
  model: BertForMaskedLM,
  text: PretrainingText,
  options: PretrainOptions,
): void {
  const { vocabulary: size, hidden } = options;
  const embeddings = wordEmbeddings(text.train, size, hidden, options.seed);
  const bias = logFrequencies(text.train, size);
  const words = getParameter(model, 'bert.embeddings.word_embeddings.weight');
  words.assign(tensor(embeddings, [size, hidden]));
  getParameter(model, 'cls.predictions.bias').assign(tensor(bias, [size]));
}

/** Factors of the mutual information matrix [V, C], scaled to `embeddingDeviation`. */
function wordEmbeddings(
  ids: Int32Array,
  size: number,
  hidden: number,
  seed: number,
): Float32Array<ArrayBuffer> {
  const information = positiveMutualInformation(ids, { size, window: 4, smoothing: 0.75 });
  const { data } = factorise(information, hidden, 5, seed);
  const power = data.reduce((sum, v) => sum + v * v, 0) / data.length;
  return Float32Array.from(data, (v) => (v * embeddingDeviation) / Math.sqrt(power));
}

/** log p(piece), with one more count for each, [V]. */
function logFrequencies(ids: Int32Array, size: number): Float32Array<ArrayBuffer> {
  const counts = new Float32Array(size).fill(1);
  for (const id of ids) counts[id] = (counts[id] ?? 0) + 1;
  return counts.map((n) => Math.log(n / (ids.length + size)));
}
