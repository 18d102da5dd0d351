/** @file A decoder below a head. */
import type { Tensor } from '@camada/tensor';
import type { Batch, BatchLimits } from '../../batch.ts';
import type { Context } from '../../context.ts';
import { prefixed } from '../head.ts';
import type { Prompting } from '../../prompting.ts';
import type { HeadModel, HeadOutput, LayerInfo } from '../model.ts';
import type { DecoderConfig } from './config.ts';
import type { DecoderModel } from './model.ts';

/** Base of decoders with a head. The decoder is in the field that checkpoints name: `model`, for GPT-2 `transformer`. */
export abstract class DecoderHead implements HeadModel {
  readonly config: DecoderConfig;
  readonly #decoder: DecoderModel;

  constructor(decoder: DecoderModel) {
    this.config = decoder.config;
    this.#decoder = decoder;
    Object.defineProperty(this, decoder.prefix, { value: decoder, enumerable: true });
  }

  /** The model below the head. */
  get decoder(): DecoderModel {
    return this.#decoder;
  }

  /** What a batch may hold. */
  abstract get limits(): BatchLimits;
  /** Prefixes of the head's parameters. */
  abstract get headPrefixes(): readonly string[];
  /** Forward pass. */
  abstract call(batch: Batch, context: Context): HeadOutput;
  /** Mean loss over the labels of the batch, []. */
  abstract loss(output: HeadOutput, batch: Batch): Tensor;

  /** Blocks with their full paths. */
  get layers(): readonly LayerInfo[] {
    return prefixed(this.decoder.prefix, this.decoder.layers);
  }

  /** The decoder's. */
  get wordEmbeddings(): string {
    return `${this.decoder.prefix}.${this.decoder.wordEmbeddings}`;
  }

  /** The decoder's. */
  get prompting(): Prompting | undefined {
    return this.decoder.prompting;
  }

  set prompting(prompting: Prompting | undefined) {
    this.decoder.prompting = prompting;
  }

  /** Checkpoints of the bare decoder lack the prefix. */
  aliases(name: string): readonly string[] {
    const prefix = `${this.decoder.prefix}.`;
    return name.startsWith(prefix) ? [name.slice(prefix.length)] : [];
  }
}
