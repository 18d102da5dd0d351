/**
 * @file SentencePiece's own files (`spm.model`, `tokenizer.model`): a protocol buffer with the pieces and how they were
 * trained. Fields: https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
 */
import { InputError } from '@camada/tensor';
import type { ByteSource } from '../bytes/source.ts';

/** A piece of the vocabulary; its id is its position. */
export interface SpmPiece {
  readonly text: string;
  readonly score: number;
  /** 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. */
  readonly type: number;
}

/** A model. */
export interface SpmModel {
  readonly pieces: readonly SpmPiece[];
  readonly kind: 'unigram' | 'bpe';
  /** Whether it maps characters to others before it looks for pieces. */
  readonly maps: boolean;
  /** Whether a space is put before the text. */
  readonly prefix: boolean;
}

const KINDS: Readonly<Record<number, SpmModel['kind']>> = { 1: 'unigram', 2: 'bpe' };

/** Reads a SentencePiece model. Throws `InputError` when it is damaged or neither Unigram nor BPE. */
export async function readSpm(source: ByteSource): Promise<SpmModel> {
  const file = fieldsOf(await source.read(0, source.size), source.name);
  const pieces = all(file, 1).map((bytes) => readPiece(bytes, source.name));
  const trainer = message(file, 2, source.name);
  const normalizer = message(file, 3, source.name);
  const kind = KINDS[number(trainer, 3) ?? 1];
  if (kind === undefined || pieces.length === 0)
    throw new InputError(
      `${source.name} is no Unigram or BPE model of SentencePiece; save the tokenizer as tokenizer.json.`,
    );
  const map = all(normalizer, 2)[0];
  const prefix = (number(normalizer, 3) ?? 1) !== 0;
  return { pieces, kind, maps: map !== undefined && map.length > 0, prefix };
}

function readPiece(bytes: Uint8Array, file: string): SpmPiece {
  const fields = fieldsOf(bytes, file);
  const score = all(fields, 2)[0];
  return {
    text: new TextDecoder().decode(all(fields, 1)[0] ?? new Uint8Array(0)),
    score: score?.length === 4 ? new DataView(score.slice().buffer).getFloat32(0, true) : 0,
    type: number(fields, 3) ?? 1,
  };
}

/** A field: its number and its bytes, or its value. */
type Field = readonly [number: number, value: Uint8Array | number];

function all(fields: readonly Field[], wanted: number): Uint8Array[] {
  return fields.flatMap(([id, value]) =>
    id === wanted && value instanceof Uint8Array ? [value] : [],
  );
}

function number(fields: readonly Field[], wanted: number): number | undefined {
  const found = fields.findLast(([id, value]) => id === wanted && typeof value === 'number');
  return found && Number(found[1]);
}

function message(fields: readonly Field[], wanted: number, file: string): readonly Field[] {
  const bytes = all(fields, wanted)[0];
  return bytes ? fieldsOf(bytes, file) : [];
}

/** The fields of a message, as the wire has them: https://protobuf.dev/programming-guides/encoding/. */
function fieldsOf(bytes: Uint8Array, file: string): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) break;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw damaged(file);
  };
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw damaged(file);
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = varint();
    const [id, wire] = [Math.floor(tag / 8), tag % 8];
    if (wire === 0) fields.push([id, varint()]);
    else if (wire === 1) fields.push([id, take(8)]);
    else if (wire === 2) fields.push([id, take(varint())]);
    else if (wire === 5) fields.push([id, take(4)]);
    else throw damaged(file);
  }
  return fields;
}

function damaged(file: string): InputError {
  return new InputError(`${file} is no SentencePiece model or damaged; download it again.`);
}
