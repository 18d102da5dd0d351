/** @file The linear layer and the table of rows over packed weights: they stand where a Linear and an Embedding stood. */
import { ShapeError, invalidateCaptures, showShape, type Tensor } from '@camada/tensor';
import type { Context } from '../context.ts';
import { linear, type Layer } from '../layers/linear.ts';
import { checkFits } from '../module.ts';
import { packedProduct } from './product.ts';
import type { QuantizedWeight } from './weight.ts';

/** y = x·Wᵀ + b with a frozen, packed W. */
export class QuantizedLinear implements Layer {
  /** W [out, in]; not a parameter. */
  readonly packed: QuantizedWeight;
  /** [out]. */
  readonly bias?: Tensor;
  #numbers: Tensor | undefined;

  constructor(packed: QuantizedWeight, bias?: Tensor) {
    this.packed = packed;
    if (bias) this.bias = bias;
  }

  /** W as numbers, f32 [out, in]: computed where it is read, unless numbers stand in for the packed weight. */
  get weight(): Tensor {
    return this.#numbers ?? this.packed.transposed().transpose();
  }

  /** Numbers [out, in] that stand in for the packed weight, such as merged ones; undefined while it is in use. */
  get numbers(): Tensor | undefined {
    return this.#numbers;
  }

  /** Lets numbers [out, in] stand in for the packed weight, or (undefined) takes it up again. Throws ShapeError. */
  useNumbers(weight: Tensor | undefined): void {
    if (weight) checkFits('weight', weight.shape, this.packed.shape);
    this.#numbers = weight;
    invalidateCaptures();
  }

  /** Size of the last axis of the input. */
  get inFeatures(): number {
    return this.packed.shape[1];
  }

  /** Size of the last axis of the output. */
  get outFeatures(): number {
    return this.packed.shape[0];
  }

  /** [..., in] to [..., out]. Throws ShapeError when the last axis does not fit. */
  call(x: Tensor, _context?: Context): Tensor {
    if (x.shape.at(-1) !== this.inFeatures)
      throw new ShapeError(
        `QuantizedLinear: input ${showShape(x.shape)} must end in ${this.inFeatures}, the weight is ` +
          showShape(this.packed.shape),
      );
    if (this.#numbers) return linear(x, this.#numbers, this.bias);
    const product = packedProduct(x.reshape([-1, this.inFeatures]), this.packed); // [N, out]
    const y = this.bias ? product.add(this.bias) : product;
    return y.reshape([...x.shape.slice(0, -1), this.outFeatures]);
  }
}

/** Rows of a frozen, packed table by integer id. */
export class QuantizedEmbedding {
  /** [V, C]; not a parameter. */
  readonly packed: QuantizedWeight;

  constructor(packed: QuantizedWeight) {
    this.packed = packed;
  }

  /** The table as numbers, f32 [V, C], computed where it is read; nothing keeps them. */
  get weight(): Tensor {
    return this.packed.transposed().transpose();
  }

  /** i32 ids [...n] to [...n, C]. */
  call(ids: Tensor): Tensor {
    return this.packed.rows(ids);
  }
}

/** Rows [N, C] times a table of embeddings that is also the output layer: [N, V]. */
export function unembed(rows: Tensor, table: { readonly weight: Tensor }): Tensor {
  return table instanceof QuantizedEmbedding
    ? packedProduct(rows, table.packed)
    : linear(rows, table.weight);
}
