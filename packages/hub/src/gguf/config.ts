/** @file From the metadata of a GGUF file to `config.json`. */
import { InputError } from '@camada/tensor';
import type { JsonRecord } from '../bytes/text.ts';
import { ggufArchitecture, type GgufArchitecture, type GgufFacts } from './architectures.ts';
import type { GgufHeader } from './header.ts';
import { ropeScaling, type RopeFactors } from './rope.ts';

/** A header as the tables ask it. */
export interface GgufModelFacts extends GgufFacts {
  readonly architecture: GgufArchitecture;
  /** What errors call the file. */
  readonly file: string;
  /** A text of the metadata, without the architecture in front of its key. */
  text(key: string): string | undefined;
}

/** Reads values of a header with the architecture's name in front. Throws `InputError` on an unknown architecture. */
export function modelFacts({ metadata, entries }: GgufHeader, file: string): GgufModelFacts {
  const name = metadata.get('general.architecture');
  const architecture = ggufArchitecture(name, file);
  return {
    architecture,
    file,
    text(key) {
      const value = metadata.get(`${String(name)}.${key}`);
      return typeof value === 'string' ? value : undefined;
    },
    hasTensor: (tensor) => entries.has(tensor),
    number(key) {
      const whole = `${String(name)}.${key}`;
      const value = metadata.get(whole);
      if (value === undefined) return undefined;
      if (typeof value === 'number' && Number.isFinite(value)) return shortest(value);
      throw new InputError(
        `${file}: "${whole}" is ${String(value).slice(0, 40)}; one number is needed, so take another file.`,
      );
    },
  };
}

/** The shortest decimal that is the same f32: 1e-5, not 9.999999747378752e-6. */
function shortest(value: number): number {
  if (Number.isInteger(value) || Math.fround(value) !== value) return value;
  for (let digits = 1; digits <= 9; digits++) {
    const decimal = Number(value.toPrecision(digits));
    if (Math.fround(decimal) === value) return decimal;
  }
  return value;
}

/**
 * `config.json` of the model in a file. `factors` are the tensors that scale its rotary embedding. Throws `InputError`
 * when a size is missing.
 */
export function configFromGguf(
  header: GgufHeader,
  facts: GgufModelFacts,
  factors: RopeFactors,
): JsonRecord {
  const { architecture, file } = facts;
  const config: Record<string, unknown> = {
    architectures: [architecture.className],
    model_type: architecture.modelType,
  };
  for (const [key, stored] of Object.entries(architecture.numbers)) {
    const value = facts.number(stored);
    if (value !== undefined) config[key] = value;
  }
  Object.assign(config, architecture.fields(facts), {
    vocab_size: vocabularySize(header, file),
    tie_word_embeddings: !facts.hasTensor('output.weight'),
    ...tokenIds(header),
    ...ropeScaling(facts, factors),
  });
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}

function vocabularySize({ entries }: GgufHeader, file: string): number {
  const rows = entries.get('token_embd.weight')?.shape[0];
  if (rows !== undefined) return rows;
  throw new InputError(`${file} has no tensor "token_embd.weight"; it is no language model.`);
}

function tokenIds({ metadata }: GgufHeader): JsonRecord {
  const ids = ['bos', 'eos', 'padding'].map((name) =>
    metadata.get(`tokenizer.ggml.${name}_token_id`),
  );
  const [bos, eos, pad] = ids.map((id) => (typeof id === 'number' ? id : undefined));
  return {
    ...(bos !== undefined && { bos_token_id: bos }),
    ...(eos !== undefined && { eos_token_id: eos }),
    ...(pad !== undefined && { pad_token_id: pad }),
  };
}
