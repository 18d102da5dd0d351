/**
 * @file Batches for masked language modelling: packed sequences without padding, in each of which a fixed number of tokens
 * is chosen to be guessed. Devlin et al., "BERT", 2019, section 3.1: 15 % are chosen; of these 80 % become `[MASK]`, 10 %
 * a random token, 10 % stay. Batch n is a function of the seed and n alone, so a resumed run sees what an unbroken one sees.
 */
import { randomInteger, seededRandom, shuffled, type Random } from '../data/random.ts';
import { specialTokens } from './vocabulary.ts';
import { special } from './wordpiece.ts';

/** Sizes of a batch. */
export interface MaskingOptions {
  /** Sequences in a batch, B. */
  readonly batchSize: number;
  /** Tokens in a sequence with `[CLS]` and `[SEP]`, T. */
  readonly sequence: number;
  /** Share of the text tokens to guess; K = round(share * (T - 2)) in each sequence, so every batch has one shape. */
  readonly share: number;
  /** Pieces in the vocabulary. */
  readonly vocabularySize: number;
  readonly seed: number;
}

/** What the model gets and what it should say. */
export interface MaskedBatch {
  /** Token ids [B * T]. */
  readonly inputs: Int32Array;
  /** Places to guess, counted in the flattened [B * T], [B * K], ascending within a sequence. */
  readonly positions: Int32Array;
  /** The tokens that stood there, [B * K]. */
  readonly labels: Int32Array;
}

/** Cuts a stream of token ids into batches, another cut and another order in every epoch. */
export class MaskedBatches {
  /** Sequences in one epoch. */
  readonly sequences: number;
  private readonly ids: Int32Array;
  private readonly options: MaskingOptions;
  private order: { readonly epoch: number; readonly starts: readonly number[] };

  /** `ids`: the text, [n] with n of at least two sequences. Throws RangeError when it is shorter. */
  constructor(ids: Int32Array, options: MaskingOptions) {
    const span = options.sequence - 2;
    this.ids = ids;
    this.options = options;
    this.sequences = Math.floor(ids.length / span) - 1;
    if (this.sequences < 1)
      throw new RangeError(`${ids.length} tokens are too few for sequences of ${options.sequence}`);
    this.order = this.cut(0);
  }

  /** Batch n = 0, 1, 2, … */
  batch(n: number): MaskedBatch {
    const { batchSize, sequence, seed } = this.options;
    const random = seededRandom(seed, 1, n);
    const perSequence = this.guesses();
    const inputs = new Int32Array(batchSize * sequence);
    const positions = new Int32Array(batchSize * perSequence);
    const labels = new Int32Array(batchSize * perSequence);
    for (let i = 0; i < batchSize; i++) {
      const row = inputs.subarray(i * sequence, (i + 1) * sequence);
      this.fill(row, n * batchSize + i);
      this.choose(random).forEach((place, k) => {
        positions[i * perSequence + k] = i * sequence + place;
        labels[i * perSequence + k] = row[place] ?? 0;
        row[place] = this.disguise(row[place] ?? 0, random);
      });
    }
    return { inputs, positions, labels };
  }

  /** K: tokens to guess in one sequence. */
  private guesses(): number {
    return Math.max(1, Math.round(this.options.share * (this.options.sequence - 2)));
  }

  private fill(row: Int32Array, index: number): void {
    const epoch = Math.floor(index / this.sequences);
    if (epoch !== this.order.epoch) this.order = this.cut(epoch);
    const start = this.order.starts[index % this.sequences] ?? 0;
    row[0] = special.cls;
    row.set(this.ids.subarray(start, start + row.length - 2), 1);
    row[row.length - 1] = special.sep;
  }

  /** K different places of the text, 1 up to T - 2, ascending (selection sampling, TAOCP vol. 2, 3.4.2, algorithm S). */
  private choose(random: Random): number[] {
    const places: number[] = [];
    const span = this.options.sequence - 2;
    const wanted = this.guesses();
    for (let place = 1; place <= span && places.length < wanted; place++)
      if (random() * (span - place + 1) < wanted - places.length) places.push(place);
    return places;
  }

  private disguise(id: number, random: Random): number {
    const draw = random();
    if (draw < 0.8) return special.mask;
    if (draw >= 0.9) return id;
    const first = specialTokens.length;
    return first + randomInteger(random, this.options.vocabularySize - first);
  }

  private cut(epoch: number): { epoch: number; starts: number[] } {
    const span = this.options.sequence - 2;
    const random = seededRandom(this.options.seed, 0, epoch);
    const offset = randomInteger(random, span);
    const starts = Array.from({ length: this.sequences }, (_, i) => offset + i * span);
    return { epoch, starts: shuffled(starts, random) };
  }
}
