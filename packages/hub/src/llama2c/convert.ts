/** @file From a llama2.c checkpoint and its tokenizer to a Hugging Face folder. */
import { jsonBytes, writeFiles } from '../bytes/write.ts';
import { openSource } from '../bytes/folder.ts';
import type { ByteSource } from '../bytes/source.ts';
import type { JsonRecord } from '../bytes/text.ts';
import { encodeSafetensors } from '../safetensors/write.ts';
import { readSizes, type Llama2cSizes } from './checkpoint.ts';
import { readVocabulary, tokenizerConfig, tokenizerJson } from './vocabulary.ts';
import { readWeights } from './weights.ts';

/** What is converted, and where to. */
export interface Llama2cFiles {
  /** The checkpoint, version 0 or 1: a path (Node) or a source. */
  readonly checkpoint: string | ByteSource;
  /** `tokenizer.bin`: a path (Node) or a source. */
  readonly tokenizer: string | ByteSource;
}

/**
 * Converts a llama2.c checkpoint to the files of a Hugging Face folder, by name. Throws `InputError` when a
 * file is damaged or the two do not belong together.
 */
export async function llama2cToFolder(
  files: Llama2cFiles,
): Promise<Map<string, readonly Uint8Array[]>> {
  const checkpoint = await openSource(files.checkpoint);
  const sizes = await readSizes(checkpoint);
  const pieces = await readVocabulary(await openSource(files.tokenizer), sizes.vocabulary);
  const weights = await readWeights(checkpoint, sizes);
  return new Map<string, readonly Uint8Array[]>([
    ['model.safetensors', encodeSafetensors(weights)],
    ['tokenizer.json', [jsonBytes(tokenizerJson(pieces))]],
    ['tokenizer_config.json', [jsonBytes(tokenizerConfig(sizes.maxLength))]],
    ['generation_config.json', [jsonBytes({ bos_token_id: 1, eos_token_id: 2 })]],
    ['config.json', [jsonBytes(llamaConfig(sizes))]],
  ]);
}

/**
 * Converts a llama2.c checkpoint into the folder `output` (Node); nothing is written unless everything can
 * be. Throws `InputError` as `llama2cToFolder` does.
 */
export async function convertLlama2c(
  files: Llama2cFiles & { readonly output: string },
): Promise<void> {
  const contents = await llama2cToFolder(files);
  await writeFiles(
    [...contents].map(([name, chunks]) => ({ path: `${files.output}/${name}`, chunks })),
  );
}

/** `config.json` for Transformers' `LlamaForCausalLM`; llama2.c fixes base 10000 and epsilon 1e-5. */
function llamaConfig(sizes: Llama2cSizes): JsonRecord {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: sizes.vocabulary,
    hidden_size: sizes.dim,
    intermediate_size: sizes.hiddenDim,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    num_key_value_heads: sizes.kvHeads,
    head_dim: sizes.dim / sizes.heads,
    max_position_embeddings: sizes.maxLength,
    hidden_act: 'silu',
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    attention_bias: false,
    mlp_bias: false,
    attention_dropout: 0,
    initializer_range: 0.02,
    tie_word_embeddings: sizes.sharedClassifier,
    bos_token_id: 1,
    eos_token_id: 2,
    torch_dtype: 'float32',
    use_cache: true,
  };
}
