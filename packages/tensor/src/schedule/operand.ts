/** @file Where a matmul finds its operands: strides straight into memory, through any movement ops. */
import type { Node } from '../graph/node.ts';
import { Axis, axisExpr, linearize, reindexed, resolve, type Expr } from './affine.ts';
import { NeedsMemory } from './lower.ts';
import { moved } from './moved.ts';

/** Memory and strides of an operand; strides run over [...batch, row, column]. */
export interface Strided {
  readonly node: Node;
  readonly offset: number;
  readonly strides: readonly number[];
}

/**
 * Strides of `node` over the axes of its shape. Throws NeedsMemory with the node that must be computed (or
 * copied) first when there are none.
 */
export function stridedOperand(node: Node, hasMemory: (node: Node) => boolean): Strided {
  const axes = node.shape.map((size) => new Axis(size));
  const found = address(node, axes.map(axisExpr), hasMemory);
  const { offset } = resolve(found.at);
  const strides = axes.map((axis) => strideOf(axis, found.at));
  if (strides.some((s) => s === undefined)) throw new NeedsMemory(unarranged(node));
  return { node: found.node, offset, strides: strides as number[] };
}

/** What stands under permutations and repetitions: its memory serves other orders too, and is not repeated. */
function unarranged(node: Node): Node {
  let inner = node;
  while (inner.op === 'permute' || inner.op === 'expand') inner = inner.inputs[0]!;
  return inner;
}

/** One stride for an axis whose parts may have been addressed apart; undefined when they do not line up. */
function strideOf(axis: Axis, at: Expr): number | undefined {
  if (!axis.parts) return axis.size === 1 ? 0 : (resolve(at).terms.get(axis) ?? 0);
  const [outer, inner] = axis.parts;
  const high = strideOf(outer, at);
  const low = strideOf(inner, at);
  if (high === undefined || low === undefined) return undefined;
  if (outer.size === 1) return low;
  if (inner.size === 1) return high;
  return high === low * inner.size ? low : undefined;
}

function address(
  node: Node,
  index: readonly Expr[],
  hasMemory: (node: Node) => boolean,
): { node: Node; at: Expr } {
  if (hasMemory(node)) return { node, at: linearize(index, node.shape) };
  switch (node.op) {
    case 'permute':
    case 'expand':
    case 'slice':
    case 'shear':
      return address(node.inputs[0]!, moved(node, index), hasMemory);
    case 'detach':
    case 'barrier':
      return address(node.inputs[0]!, index, hasMemory);
    case 'reshape':
      return reshaped(node, node.inputs[0]!, index, hasMemory);
    default:
      throw new NeedsMemory(node);
  }
}

function reshaped(
  node: Node,
  input: Node,
  index: readonly Expr[],
  hasMemory: (node: Node) => boolean,
): { node: Node; at: Expr } {
  if (hasMemory(input)) return { node: input, at: linearize(index, node.shape) };
  const inner = reindexed(index, node.shape, input.shape);
  if (!inner) throw new NeedsMemory(input);
  return address(input, inner, hasMemory);
}
