/** @file A GGUF file as a model folder: configuration, tensors and tokenizer. */
import { InputError } from '@camada/tensor';
import type { Folder } from '../bytes/folder.ts';
import { memorySource, type ByteSource } from '../bytes/source.ts';
import { jsonBytes } from '../bytes/write.ts';
import type { JsonRecord } from '../bytes/text.ts';
import { Config } from '../model/config.ts';
import type { ModelFolder } from '../model/opened.ts';
import { createTokenizer } from '../tokenizer/tokenizer.ts';
import { configFromGguf, modelFacts } from './config.ts';
import { readGgufHeader, type GgufHeader } from './header.ts';
import { unpackTensor } from './packed.ts';
import { ggufTensors } from './read.ts';
import type { RopeFactors } from './rope.ts';
import { tokenizerFromGguf } from './vocabulary.ts';

/**
 * Opens a GGUF file as the Hugging Face folder that it was made from: `config.json`, the tokenizer's files and
 * `generation_config.json` are made from its metadata, tensors are read when asked for. Throws `InputError` when it is
 * damaged or of an architecture that is not known.
 */
export async function openGguf(source: ByteSource): Promise<ModelFolder> {
  const header = await readGgufHeader(source);
  const facts = modelFacts(header, source.name);
  const config = configFromGguf(header, facts, await ropeFactors(source, header));
  const files = tokenizerFromGguf(header.metadata, source.name);
  const generation = generationConfig(header);
  const query = facts.number('attention.head_count') ?? 1;
  const heads = { query, key: facts.number('attention.head_count_kv') ?? query };
  checkHeads(heads, source.name);
  checkWhole(header, source.name);
  return {
    name: source.name,
    folder: virtualFolder(source.name, {
      'config.json': config,
      'generation_config.json': generation,
      ...(files && { 'tokenizer.json': files.tokenizer }),
      ...(files?.config && { 'tokenizer_config.json': files.config }),
    }),
    config: new Config(config, `${source.name} › config`),
    tensors: ggufTensors(source, header, facts.architecture, heads),
    tokenizer: files && createTokenizer(files, `${source.name} › tokenizer`),
    generation: new Config(generation, `${source.name} › generation`),
  };
}

function checkHeads({ query, key }: { query: number; key: number }, file: string): void {
  if ([query, key].every((count) => Number.isInteger(count) && count >= 1 && count <= 65536))
    return;
  throw new InputError(`${file} has ${query} and ${key} heads; whole numbers from 1 are needed.`);
}

function checkWhole({ metadata }: GgufHeader, file: string): void {
  const count = Number(metadata.get('split.count') ?? 1);
  if (count <= 1) return;
  throw new InputError(
    `${file} is one of ${count} parts of a split model; join them with llama-gguf-split --merge.`,
  );
}

async function ropeFactors(source: ByteSource, header: GgufHeader): Promise<RopeFactors> {
  const read = async (name: string): Promise<Float32Array | undefined> => {
    const entry = header.entries.get(name);
    if (!entry) return undefined;
    const bytes = await source.read(entry.begin, entry.bytes);
    return unpackTensor({ type: entry.type, bytes });
  };
  return {
    frequencies: await read('rope_freqs.weight'),
    long: await read('rope_factors_long.weight'),
    short: await read('rope_factors_short.weight'),
  };
}

/** A text ends at the end token, and at the end of a turn where the file names one. */
function generationConfig({ metadata }: GgufHeader): JsonRecord {
  const id = (name: string): number | undefined => {
    const value = metadata.get(`tokenizer.ggml.${name}_token_id`);
    return typeof value === 'number' ? value : undefined;
  };
  const ends = [id('eos'), id('eot')].filter((end) => end !== undefined);
  const [bos, pad] = [id('bos'), id('padding')];
  return {
    ...(bos !== undefined && { bos_token_id: bos }),
    ...(ends.length > 0 && { eos_token_id: [...new Set(ends)] }),
    ...(pad !== undefined && { pad_token_id: pad }),
  };
}

/** A folder of JSON files that are written down when they are opened. */
function virtualFolder(name: string, files: Readonly<Record<string, JsonRecord>>): Folder {
  return {
    name,
    list: () => Promise.resolve(Object.keys(files).sort()),
    open(file) {
      const record = Object.hasOwn(files, file) ? files[file] : undefined;
      return Promise.resolve(record && memorySource(jsonBytes(record), `${name} › ${file}`));
    },
  };
}
