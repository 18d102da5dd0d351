/**
 * @file Checkpoints of llama2.c (https://github.com/karpathy/llama2.c, `export.py`): a header and then all
 * weights as f32 in a fixed order. Version 1 begins with the magic `ak42` and has a header of 256 bytes;
 * the legacy version 0 has seven numbers and another order.
 */
import { InputError } from '@camada/tensor';
import type { ByteSource } from '../bytes/source.ts';

/** The sizes in a header. */
export interface Llama2cSizes {
  /** Version of the export, 0 or 1. */
  readonly version: 0 | 1;
  /** Width C. */
  readonly dim: number;
  /** Width of the feed-forward layer. */
  readonly hiddenDim: number;
  /** Number of blocks. */
  readonly layers: number;
  /** Query heads H. */
  readonly heads: number;
  /** Key and value heads. */
  readonly kvHeads: number;
  /** Vocabulary V. */
  readonly vocabulary: number;
  /** Longest sequence T. */
  readonly maxLength: number;
  /** Whether the output layer is the embedding. */
  readonly sharedClassifier: boolean;
  /** Byte at which the weights begin. */
  readonly weightsStart: number;
}

const MAGIC = 0x616b3432;

/** Reads and checks a header. Throws `InputError` on an unknown version and on sizes that are not positive. */
export async function readSizes(source: ByteSource): Promise<Llama2cSizes> {
  if (source.size < 36) {
    throw new InputError(
      `${source.name} holds ${source.size} bytes, too few for a llama2.c header; check the file.`,
    );
  }
  const view = new DataView((await source.read(0, Math.min(256, source.size))).buffer);
  return view.getUint32(0, true) === MAGIC ? readVersion1(view, source) : readLegacy(view, source);
}

function readVersion1(view: DataView, source: ByteSource): Llama2cSizes {
  const version = view.getInt32(4, true);
  if (version !== 1 || view.byteLength < 256) {
    throw new InputError(
      `${source.name}: llama2.c version ${version} cannot be read; export it as version 0 or 1 (f32).`,
    );
  }
  const sizes = readSeven(view, 8);
  return check(
    { version: 1, ...sizes, sharedClassifier: view.getUint8(36) !== 0, weightsStart: 256 },
    source,
  );
}

/** A negative vocabulary says that the output layer is stored as well. */
function readLegacy(view: DataView, source: ByteSource): Llama2cSizes {
  const sizes = readSeven(view, 0);
  const sharedClassifier = sizes.vocabulary > 0;
  const vocabulary = Math.abs(sizes.vocabulary);
  return check({ version: 0, ...sizes, vocabulary, sharedClassifier, weightsStart: 28 }, source);
}

type Seven = Omit<Llama2cSizes, 'version' | 'sharedClassifier' | 'weightsStart'>;

function readSeven(view: DataView, offset: number): Seven {
  const at = (i: number): number => view.getInt32(offset + 4 * i, true);
  return {
    dim: at(0),
    hiddenDim: at(1),
    layers: at(2),
    heads: at(3),
    kvHeads: at(4),
    vocabulary: at(5),
    maxLength: at(6),
  };
}

function check(sizes: Llama2cSizes, source: ByteSource): Llama2cSizes {
  const { dim, heads, kvHeads } = sizes;
  const counts = [
    dim,
    sizes.hiddenDim,
    sizes.layers,
    heads,
    kvHeads,
    sizes.vocabulary,
    sizes.maxLength,
  ];
  const fits = dim % heads === 0 && heads % kvHeads === 0 && (dim / heads) % 2 === 0;
  if (counts.every((count) => count > 0) && fits) return checkLength(sizes, source);
  throw new InputError(
    `${source.name}: the header (dim, hidden, layers, heads, kv heads, vocabulary, length = ` +
      `${counts.join(', ')}) is not that of a Llama; give a llama2.c checkpoint of version 0 or 1.`,
  );
}

/** The file must end where the last weight does: checked before anything of that size is allocated. */
function checkLength(sizes: Llama2cSizes, source: ByteSource): Llama2cSizes {
  const floats = weightOrder(sizes).reduce((n, { count, size }) => n + count * size, 0);
  const expected = sizes.weightsStart + 4 * floats;
  if (expected === source.size) return sizes;
  throw new InputError(
    `${source.name} holds ${source.size} bytes, but its header asks for ${expected}; ` +
      'it was cut short or is not a llama2.c checkpoint, so download it again.',
  );
}

/** A kind of weight: `count` matrices (one a layer, or one) of `size` numbers each. */
export interface WeightRun {
  readonly name: string;
  readonly count: number;
  readonly size: number;
}

/** The order in which a checkpoint stores its weights (llama2.c `export.py`). */
export function weightOrder(sizes: Llama2cSizes): readonly WeightRun[] {
  const { dim, hiddenDim, layers, vocabulary } = sizes;
  const kvDim = (dim / sizes.heads) * sizes.kvHeads;
  const run = (name: string, size: number, count = layers): WeightRun => ({ name, count, size });
  const attention = [
    run('wq', dim * dim),
    run('wk', kvDim * dim),
    run('wv', kvDim * dim),
    run('wo', dim * dim),
  ];
  const feedForward = [
    run('w1', hiddenDim * dim),
    run('w2', dim * hiddenDim),
    run('w3', hiddenDim * dim),
  ];
  const embedding = run('embedding', vocabulary * dim, 1);
  const attentionNorm = run('attention_norm', dim);
  const ffnNorm = run('ffn_norm', dim);
  const norm = run('norm', dim, 1);
  const output = sizes.sharedClassifier ? [] : [run('output', vocabulary * dim, 1)];
  if (sizes.version === 1) {
    return [attentionNorm, ffnNorm, norm, embedding, ...attention, ...feedForward, ...output];
  }
  // The legacy format also stores cosines and sines of the rotary angles, which are not needed.
  const angles = run('angles', (sizes.maxLength * dim) / sizes.heads / 2, 2);
  return [embedding, attentionNorm, ...attention, ffnNorm, ...feedForward, norm, angles, ...output];
}
