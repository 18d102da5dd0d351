/**
 * @file A wrapped layer. It stands in the model where `base_layer` stood, which keeps its names and stays frozen, and
 * holds a part for each adapter by the adapter's name. Parts in use apply in the order in which they were added:
 * `input` of each, the base layer, `output` of each.
 */
import type { Context, Layer } from '@camada/nn';
import { InputError, invalidateCaptures, type Tensor } from '@camada/tensor';
import { isEmbedding, replaceWeights, weightsOf, type BaseLayer, type Weights } from './base.ts';
import type { LayerPart } from './part.ts';
import { hasRows } from './rows.ts';

interface Merged {
  readonly plain: Weights;
  readonly merged: Weights;
  /** The parts that the merged weights hold, in order. */
  readonly parts: readonly LayerPart[];
}

/** A layer with adapters. */
export class AdapterLayer implements Layer {
  /** The frozen layer. */
  readonly base_layer: BaseLayer;
  readonly #parts = new Map<string, LayerPart>();
  readonly #off = new Set<string>();
  #merged: Merged | undefined;

  constructor(base: BaseLayer) {
    this.base_layer = base;
  }

  /** Parts by the names of their adapters. */
  get parts(): ReadonlyMap<string, LayerPart> {
    return this.#parts;
  }

  /** The table of a wrapped embedding, without its adapters: a tied output layer reads it. Throws InputError for others. */
  get weight(): Tensor {
    if (isEmbedding(this.base_layer)) return this.base_layer.weight;
    throw new InputError('a wrapped layer has no weight of its own; read base_layer.weight');
  }

  /** Adds the part of an adapter, switched on. Throws InputError when the name is taken. */
  add(name: string, part: LayerPart): void {
    if (this.#parts.has(name))
      throw new InputError(`the layer already has an adapter named '${name}'; give another name`);
    this.#parts.set(name, part);
    this.#changed();
  }

  /** Takes an adapter's part off; merged weights are given up first. */
  remove(name: string): void {
    this.unmerge();
    this.#parts.delete(name);
    this.#off.delete(name);
    this.#changed();
  }

  /** Whether an adapter's part is in use. */
  isEnabled(name: string): boolean {
    return this.#parts.has(name) && !this.#off.has(name);
  }

  /** Switches an adapter's part on or off, merged or not; with all parts off the layer is the base layer. */
  enable(name: string, on: boolean): void {
    if (on) this.#off.delete(name);
    else this.#off.add(name);
    this.#changed();
  }

  /** Whether merged weights are kept. */
  get merged(): boolean {
    return this.#merged !== undefined;
  }

  /** [..., in] to [..., out]; an embedding from ids [...n] to [...n, C]. Throws ShapeError when the input does not fit. */
  call(x: Tensor, context: Context): Tensor {
    const base = this.base_layer;
    if (hasRows(context)) {
      if (this.#merged)
        throw new InputError(
          'rows of different adapters need the plain weights; unmerge the adapter that is merged',
        );
      const choice = context.adapterRows;
      return choice.parts.get(this)?.call(x, choice, base, context) ?? base.call(x, context);
    }
    const parts = this.#inPlace ? [] : this.#active;
    const input = parts.reduce((now, part) => part.input?.(now, base, context) ?? now, x);
    const first = base.call(input, context); // [..., out]
    return parts.reduce((y, part) => part.output?.(y, input, base, context) ?? y, first);
  }

  /**
   * Puts weights that hold the parts in use, computed now in f32, in the place of the base layer's; those are kept for
   * `unmerge`. Later changes of the parts do not show until the layer is unmerged. Throws InputError when a part
   * cannot be merged.
   */
  async merge(): Promise<void> {
    if (this.#merged) return;
    const parts = this.#active;
    const plain = weightsOf(this.base_layer);
    if (parts.length === 0) return;
    if (!plain) throw new InputError('this kind of layer cannot be merged into');
    const merged = await realized(parts.reduce((now, part) => this.#mergeOne(part, now), plain));
    this.#merged ??= { plain, merged, parts };
    this.#changed();
  }

  #mergeOne(part: LayerPart, weights: Weights): Weights {
    if (!part.merge)
      throw new InputError(
        'this method computes beside the weights and cannot be merged into them; keep it as an adapter',
      );
    return part.merge(weights, this.base_layer);
  }

  /** Puts the weights before `merge` back, bit for bit, and frees the merged ones. */
  unmerge(): void {
    if (!this.#merged) return;
    const { plain, merged } = this.#merged;
    this.#merged = undefined;
    replaceWeights(this.base_layer, plain);
    if (merged.weight !== plain.weight) merged.weight.dispose();
    if (merged.bias && merged.bias !== plain.bias) merged.bias.dispose();
  }

  get #active(): LayerPart[] {
    return [...this.#parts].filter(([name]) => !this.#off.has(name)).map(([, part]) => part);
  }

  /** True while the base layer holds merged weights that are those of the parts in use. */
  get #inPlace(): boolean {
    const parts = this.#merged?.parts;
    const active = this.#active;
    return parts?.length === active.length && parts.every((part, i) => part === active[i]);
  }

  #changed(): void {
    invalidateCaptures();
    if (!this.#merged) return;
    const { plain, merged } = this.#merged;
    replaceWeights(this.base_layer, this.#inPlace ? merged : plain);
  }
}

async function realized({ weight, bias }: Weights): Promise<Weights> {
  return { weight: await weight.realize(), bias: await bias?.realize() };
}
