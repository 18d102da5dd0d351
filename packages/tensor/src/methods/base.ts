/** @file What every family of methods stands on: the node, its shape and type, and how results are wrapped. */
import type { DType } from '../dtype.ts';
import { hostNumber } from '../graph/composite/literal.ts';
import type { Node } from '../graph/node.ts';
import { sizeOf, type Shape } from '../shape.ts';

/** Axes of a reduction; all when undefined. */
export type Axes = number | readonly number[] | undefined;

/**
 * A handle of a graph node. `Self` is the class at the end of the chain of families, which is what every
 * method takes and gives.
 */
export abstract class TensorBase<Self extends TensorBase<Self>> {
  /** The value in the graph. Changes only by `assign` and when memory takes the place of a computation. */
  node: Node;

  constructor(node: Node) {
    this.node = node;
  }

  /** Sizes of the axes. */
  get shape(): Shape {
    return this.node.shape;
  }

  /** Element type. */
  get dtype(): DType {
    return this.node.dtype;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.node.shape);
  }

  /** Number of axes. */
  get rank(): number {
    return this.node.shape.length;
  }

  /** A handle of another node. */
  protected abstract wrap(node: Node): Self;

  /** A tensor's node, or a number as `hostNumber` has it beside this tensor. */
  protected operand(other: Self | number): Node {
    return typeof other === 'number' ? hostNumber(other, this.dtype) : other.node;
  }
}
