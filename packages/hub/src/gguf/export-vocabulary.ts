/** @file From `tokenizer.json` to the tokenizer inside a GGUF file: the inverse of `vocabulary.ts`. */
import { InputError } from '@camada/tensor';
import { isRecord, type JsonRecord } from '../bytes/text.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizer.ts';
import { preTokenizerName } from './pre-tokenizers.ts';
import { TOKEN_TYPE } from './vocabulary.ts';
import type { WrittenValue } from './write.ts';

/** The parts of a BPE model. */
interface Bpe {
  readonly tokens: readonly (string | undefined)[];
  readonly merges: readonly (readonly [string, string])[];
  readonly added: readonly JsonRecord[];
}

/**
 * The metadata of a tokenizer for a model of `size` rows of embeddings. Throws `InputError` when it is not BPE, or
 * byte-level in a way that GGUF has no name for.
 */
export function vocabularyMetadata(files: TokenizerFiles, size: number): Map<string, WrittenValue> {
  const model = files.tokenizer['model'];
  if (!isRecord(model) || model['type'] !== 'BPE') {
    throw new InputError(
      'tokenizer.json: only BPE vocabularies can be written to GGUF; save as safetensors instead.',
    );
  }
  const bpe = readBpe(model, files.tokenizer, size);
  const pieces = model['byte_fallback'] === true;
  return new Map<string, WrittenValue>([
    ['tokenizer.ggml.model', ['text', pieces ? 'llama' : 'gpt2']],
    ...(pieces ? pieceEntries(bpe, files.tokenizer) : byteLevelEntries(bpe, files.tokenizer)),
    ...specialEntries(files, bpe),
  ]);
}

function readBpe(model: JsonRecord, tokenizer: JsonRecord, size: number): Bpe {
  const vocabulary = isRecord(model['vocab']) ? model['vocab'] : {};
  const list = Array.isArray(tokenizer['added_tokens']) ? tokenizer['added_tokens'] : [];
  const added = list.filter(isRecord);
  const tokens = new Array<string | undefined>(size).fill(undefined);
  const pairs = added.map((token) => [String(token['content']), token['id']] as const);
  for (const [token, id] of [...Object.entries(vocabulary), ...pairs]) {
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < size) tokens[id] = token;
    else
      throw new InputError(
        `tokenizer.json gives ${JSON.stringify(token)} the id ${String(id)}, but the model has ${size} embeddings.`,
      );
  }
  const merges = Array.isArray(model['merges']) ? model['merges'].map(readMerge) : [];
  return { tokens, merges, added };
}

/** `"a b"` or `["a", "b"]`. */
function readMerge(merge: unknown): readonly [string, string] {
  const parts: unknown[] = Array.isArray(merge) ? merge : String(merge).split(' ');
  const [left, right] = parts;
  if (typeof left === 'string' && typeof right === 'string') return [left, right];
  throw new InputError(`tokenizer.json: ${JSON.stringify(merge)} is no merge of two tokens.`);
}

type Entries = (readonly [string, WrittenValue])[];

function byteLevelEntries(bpe: Bpe, tokenizer: JsonRecord): Entries {
  return [
    ['tokenizer.ggml.pre', ['text', preTokenizerName(tokenizer)]],
    ['tokenizer.ggml.tokens', ['texts', filled(bpe.tokens)]],
    ['tokenizer.ggml.token_type', ['i32s', tokenTypes(bpe, null)]],
    ['tokenizer.ggml.merges', ['texts', bpe.merges.map((pair) => pair.join(' '))]],
  ];
}

/** Scores are the places of the merges: what is merged first scores best. */
function pieceEntries(bpe: Bpe, tokenizer: JsonRecord): Entries {
  const ranks = new Map<string, number>();
  for (const [rank, [left, right]] of bpe.merges.entries())
    if (!ranks.has(left + right)) ranks.set(left + right, rank);
  const scores = bpe.tokens.map((token) => -(ranks.get(token ?? '') ?? bpe.merges.length));
  const unknown = (isRecord(tokenizer['model']) && tokenizer['model']['unk_token']) || '';
  return [
    ['tokenizer.ggml.tokens', ['texts', filled(bpe.tokens)]],
    ['tokenizer.ggml.scores', ['f32s', scores]],
    ['tokenizer.ggml.token_type', ['i32s', tokenTypes(bpe, unknown)]],
    ['tokenizer.ggml.add_space_prefix', ['bool', hasPrefix(tokenizer)]],
  ];
}

/** A model may have more embeddings than tokens. */
function filled(tokens: readonly (string | undefined)[]): string[] {
  return tokens.map((token, id) => token ?? `[PAD${id}]`);
}

function tokenTypes({ tokens, added }: Bpe, unknown: unknown): number[] {
  const types = tokens.map((token) => {
    if (token === undefined) return TOKEN_TYPE.unused;
    if (unknown !== null && /^<0x[0-9A-F]{2}>$/.test(token)) return TOKEN_TYPE.byte;
    return TOKEN_TYPE.normal as number;
  });
  for (const { id, special } of added)
    if (typeof id === 'number')
      types[id] = special === true ? TOKEN_TYPE.control : TOKEN_TYPE.userDefined;
  const place = typeof unknown === 'string' ? tokens.indexOf(unknown) : -1;
  if (place >= 0) types[place] = TOKEN_TYPE.unknown;
  return types;
}

/** Whether a space is put in front of the text: by a normalizer, or by the Metaspace pre-tokenizer. */
function hasPrefix(tokenizer: JsonRecord): boolean {
  const text = JSON.stringify([tokenizer['normalizer'], tokenizer['pre_tokenizer']]);
  return text.includes('"type":"Prepend"') || /"prepend_scheme":"(first|always)"/.test(text);
}

/** The tokens with a part of their own, and which of them surround a text. */
function specialEntries({ tokenizer, config = {} }: TokenizerFiles, { tokens }: Bpe): Entries {
  const entries: Entries = [];
  for (const [key, name] of SPECIAL) {
    const value = config[key];
    const content = isRecord(value) ? value['content'] : value;
    const id = typeof content === 'string' ? tokens.indexOf(content) : -1;
    if (id >= 0) entries.push([`tokenizer.ggml.${name}_token_id`, ['u32', id]]);
  }
  const [first, last] = framed(tokenizer['post_processor']);
  entries.push(['tokenizer.ggml.add_bos_token', ['bool', first]]);
  entries.push(['tokenizer.ggml.add_eos_token', ['bool', last]]);
  const template = config['chat_template'];
  if (typeof template === 'string') entries.push(['tokenizer.chat_template', ['text', template]]);
  return entries;
}

const SPECIAL = [
  ['bos_token', 'bos'],
  ['eos_token', 'eos'],
  ['unk_token', 'unknown'],
  ['pad_token', 'padding'],
] as const;

/** Whether the template puts a token before and after a single text. */
function framed(processor: unknown): readonly [boolean, boolean] {
  if (!isRecord(processor)) return [false, false];
  const inner = processor['processors'];
  if (Array.isArray(inner)) {
    const all = inner.map(framed);
    return [all.some(([first]) => first), all.some(([, last]) => last)];
  }
  const single = processor['single'];
  if (!Array.isArray(single)) return [false, false];
  const isSpecial = (part: unknown): boolean => isRecord(part) && 'SpecialToken' in part;
  return [isSpecial(single[0]), isSpecial(single.at(-1))];
}
