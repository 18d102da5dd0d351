/** @file Tiny random models, their tokenizers and data, written to a temporary folder, and the built command. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeSafetensors, type Table, type TensorData } from '@camada/hub';
import { modelFromConfig, namedParameters, type HeadTask } from '@camada/nn';

const GOOD = ['good', 'great', 'lovely', 'fine', 'superb', 'bright'];
const BAD = ['bad', 'awful', 'ugly', 'poor', 'dreadful', 'dull'];
const NEUTRAL = ['the', 'film', 'is', 'a', 'story', 'of', 'this', 'and', 'plot', 'very'];
const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
const WORDS = [...SPECIAL, ...GOOD, ...BAD, ...NEUTRAL];

/** A fresh folder. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'camada-'));
}

const vocabulary = Object.fromEntries(WORDS.map((word, id) => [word, id]));

const added = (content: string): object => ({
  id: vocabulary[content],
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

function tokenizerJson(postProcessor: object): object {
  return {
    added_tokens: SPECIAL.map(added),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: postProcessor,
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: vocabulary,
    },
  };
}

const SIZES = {
  vocab_size: WORDS.length,
  hidden_size: 32,
  num_attention_heads: 2,
  intermediate_size: 48,
  max_position_embeddings: 64,
  pad_token_id: 0,
};

const BERT = {
  ...SIZES,
  model_type: 'bert',
  architectures: ['BertForMaskedLM'],
  num_hidden_layers: 3,
  hidden_act: 'gelu',
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  type_vocab_size: 2,
  initializer_range: 0.2,
};

const LLAMA = {
  ...SIZES,
  model_type: 'llama',
  architectures: ['LlamaForCausalLM'],
  num_hidden_layers: 2,
  num_key_value_heads: 1,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  bos_token_id: 2,
  eos_token_id: 3,
  initializer_range: 0.1,
};

const LLAMA_LIKE = { ...SIZES, num_hidden_layers: 3, num_key_value_heads: 1, head_dim: 12 };
const GEMMA_LIKE = { ...LLAMA_LIKE, query_pre_attn_scalar: 12, sliding_window: 5 };

/** A decoder of every other family, with its particulars. */
const DECODERS: Readonly<Record<string, object>> = {
  gpt2: {
    vocab_size: SIZES.vocab_size,
    n_embd: 32,
    n_head: 2,
    n_layer: 3,
    n_positions: 64,
    embd_pdrop: 0,
    attn_pdrop: 0,
    resid_pdrop: 0,
  },
  mistral: { ...LLAMA_LIKE, sliding_window: 5 },
  qwen2: { ...LLAMA_LIKE, tie_word_embeddings: true },
  qwen3: LLAMA_LIKE,
  phi3: { ...LLAMA_LIKE, head_dim: 16, partial_rotary_factor: 0.5 },
  gemma: LLAMA_LIKE,
  gemma2: GEMMA_LIKE,
  gemma3_text: { ...GEMMA_LIKE, sliding_window_pattern: 2, rope_theta: 10000 },
};

async function writeModel(
  folder: string,
  config: object,
  task: HeadTask,
  postProcessor: object,
): Promise<string> {
  const tensors = new Map<string, TensorData>();
  for (const [name, parameter] of namedParameters(modelFromConfig(config, task, { seed: 5 })))
    tensors.set(name, {
      dtype: 'f32',
      shape: parameter.shape,
      data: Float32Array.from(await parameter.data()),
    });
  mkdirSync(folder, { recursive: true });
  await writeSafetensors(join(folder, 'model.safetensors'), tensors);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizerJson(postProcessor)));
  return folder;
}

const CLS_SEP = { type: 'BertProcessing', cls: ['[CLS]', 2], sep: ['[SEP]', 3] };

/** Configurations of other encoders, three layers each, by `model_type`. */
const ENCODERS: Readonly<Record<string, object>> = {
  distilbert: {
    architectures: ['DistilBertForMaskedLM'],
    vocab_size: WORDS.length,
    dim: 32,
    n_heads: 2,
    n_layers: 3,
    hidden_dim: 48,
    max_position_embeddings: 64,
    dropout: 0,
    attention_dropout: 0,
  },
  roberta: {
    ...BERT,
    architectures: ['RobertaForMaskedLM'],
    max_position_embeddings: 66,
    type_vocab_size: 1,
    pad_token_id: 1,
  },
  'deberta-v2': {
    ...BERT,
    architectures: ['DebertaV2ForMaskedLM'],
    type_vocab_size: 0,
    relative_attention: true,
    position_buckets: 8,
    norm_rel_ebd: 'layer_norm',
    share_att_key: true,
    pos_att_type: 'p2c|c2p',
    position_biased_input: false,
  },
  modernbert: {
    ...SIZES,
    architectures: ['ModernBertForMaskedLM'],
    num_hidden_layers: 3,
    local_attention: 4,
    global_attn_every_n_layers: 3,
  },
};

/** Values of `model_type` that `tinyEncoder` makes. */
export const ENCODER_TYPES: readonly string[] = Object.keys(ENCODERS);

/** An encoder of three layers without a classifier. */
export function tinyEncoder(folder: string, modelType: string): Promise<string> {
  const config = { initializer_range: 0.2, ...ENCODERS[modelType], model_type: modelType };
  return writeModel(folder, config, 'masked-lm', CLS_SEP);
}

/** A BERT of three layers without classifier or pooler. */
export function tinyBert(folder: string): Promise<string> {
  return writeModel(folder, BERT, 'masked-lm', CLS_SEP);
}

/** A Llama of two layers with tied embeddings. */
export function tinyLlama(folder: string): Promise<string> {
  return writeModel(folder, LLAMA, 'causal-lm', opensText());
}

/** The `model_type`s of `tinyDecoder`. */
export const DECODER_TYPES: readonly string[] = Object.keys(DECODERS);

/** A decoder of three layers. */
export function tinyDecoder(folder: string, modelType: string): Promise<string> {
  const ids = { bos_token_id: 2, eos_token_id: 3, pad_token_id: 0, initializer_range: 0.1 };
  const config = { ...DECODERS[modelType], ...ids, model_type: modelType };
  return writeModel(folder, config, 'causal-lm', opensText());
}

/** Puts the first token in front of each text. */
function opensText(): object {
  const bos = { SpecialToken: { id: '[CLS]', type_id: 0 } };
  return {
    type: 'TemplateProcessing',
    single: [bos, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [bos, { Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: { '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] } },
  };
}

/** A generator of whole numbers below n, the same in every run (Numerical Recipes' constants). */
function lots(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

/** Sentences with one word that decides; every class as often as the other. */
export function sentences(count: number, seed: number): { text: string; label: string }[] {
  const below = lots(seed);
  return Array.from({ length: count }, (_, i) => {
    const words = Array.from({ length: 3 + below(8) }, () => NEUTRAL[below(NEUTRAL.length)]!);
    const telling = i % 2 === 0 ? GOOD : BAD;
    words.splice(below(words.length), 0, telling[below(telling.length)]!);
    return { text: words.join(' '), label: i % 2 === 0 ? 'positive' : 'negative' };
  });
}

/** A TSV of sentences with a header. */
export function sentencesFile(path: string, count: number, seed: number): string {
  const rows = sentences(count, seed).map(({ text, label }) => `${text}\t${label}`);
  writeFileSync(path, ['sentence\tlabel', ...rows, ''].join('\n'));
  return path;
}

/** Outcome of a run of the command. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const command = fileURLToPath(new URL('../bin/camada.js', import.meta.url));

/** Runs the built command on wasm; it must end by itself within a minute. */
export function camada(...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [command, ...args], {
      env: { ...process.env, CAMADA_BACKEND: 'wasm', CAMADA_DEBUG: '' },
      timeout: 60_000,
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Rows as a table. */
export function table(rows: readonly Record<string, string | number>[], name = 'rows'): Table {
  return { name, columns: Object.keys(rows[0]!), rows, lines: rows.map((_, i) => i + 1) };
}
