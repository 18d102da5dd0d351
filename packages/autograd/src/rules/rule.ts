/**
 * @file What a gradient rule is. A rule is asked for one input at a time, and only for inputs that lead
 * to a tensor whose gradient is wanted, so nothing is emitted for frozen weights. Rules are written
 * with the user's Tensor methods: what they emit can be differentiated again.
 */
import type { Node, NodeOf, OpName, Tensor } from '@camada/tensor';

/** One node on the way back. */
export interface Step<K extends OpName> {
  readonly node: NodeOf<K>;
  /** Gradient of the loss with respect to the node's value; the node's shape. */
  readonly dy: Tensor;
  /** The node's inputs; integers and bools without a history, for they are constants to a derivative. */
  readonly x: readonly Tensor[];
  /** The node's value. */
  readonly y: Tensor;
  /** For each input whether its gradient is wanted. */
  readonly wanted: readonly boolean[];
}

/** How a gradient passes an op of kind `K`. */
export interface Rule<K extends OpName> {
  /** False where the derivative is zero by definition; the path ends there. */
  readonly carries: (node: NodeOf<K>, input: number) => boolean;
  /** Gradient with respect to input `input`; its shape. */
  readonly gradient: (step: Step<K>, input: number) => Tensor;
}

/** A rule by which every floating-point input gets a gradient. */
export function smooth<K extends OpName>(gradient: Rule<K>['gradient']): Rule<K> {
  return { carries: () => true, gradient };
}

/** The rule of ops through which no gradient passes. */
export function none<K extends OpName>(): Rule<K> {
  return {
    carries: () => false,
    gradient: ({ node }) => {
      throw new Error(`internal: ${(node as Node).op} has no gradient`);
    },
  };
}
