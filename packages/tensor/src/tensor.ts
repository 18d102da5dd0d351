/**
 * @file The handle users hold. A Tensor names a node of the lazy graph; methods build nodes and return at
 * once. Nothing runs until a value is read (`data`, `item`) or asked for (`realize`). The methods are in
 * `methods/`, a family a file; here is what concerns memory.
 */
import type { TypedArray } from './dtype.ts';
import { InputError, ShapeError } from './errors.ts';
import type { Node } from './graph/node.ts';
import { LinearMethods } from './methods/linear.ts';
import { discard, queueAssign, readHolder, realizeNodes, type Holder } from './realize.ts';
import { sameShape, showShape } from './shape.ts';

/** What binary methods take: a number is a host number, data that is never compiled in. */
export type Operand = Tensor | number;

/** A multi-dimensional array, computed lazily on the current device. */
export class Tensor extends LinearMethods<Tensor> implements Holder {
  /** Wraps a graph node. */
  static of(node: Node): Tensor {
    return new Tensor(node);
  }

  protected wrap(node: Node): Tensor {
    return new Tensor(node);
  }

  /**
   * An effect: after the next run this tensor's memory holds `value`; from now on the tensor reads as it.
   * Throws ShapeError unless shape and dtype agree.
   */
  assign(value: Tensor): void {
    if (!sameShape(this.shape, value.shape) || this.dtype !== value.dtype)
      throw new ShapeError(
        `assign: ${value.dtype} ${showShape(value.shape)} does not fit ${this.dtype} ${showShape(this.shape)}`,
      );
    queueAssign(this, value.node);
  }

  /** Computes this value now and keeps it in device memory. Runs pending assigns too. */
  async realize(): Promise<this> {
    await realizeNodes([this]);
    return this;
  }
  /** The elements, row-major: Float32Array for floats, Int32Array, Uint32Array (bool: 0 and 1). */
  async data(): Promise<TypedArray> {
    return readHolder(this);
  }
  /** The only element. Throws ShapeError when there are several. */
  async item(): Promise<number> {
    if (this.size !== 1)
      throw new ShapeError(`item: ${showShape(this.shape)} has ${this.size} elements; use data()`);
    return (await this.data())[0]!;
  }
  /** Gives the memory back now instead of when the tensor is collected. The tensor must not be used again. */
  dispose(): void {
    discard(this.node);
  }
  /** `using` support. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Computes many tensors, and all pending assigns, in one program. */
export async function realize(tensors: readonly Tensor[]): Promise<void> {
  for (const x of tensors)
    if (!(x instanceof Tensor)) throw new InputError('realize: wants a list of tensors');
  await realizeNodes(tensors);
}
