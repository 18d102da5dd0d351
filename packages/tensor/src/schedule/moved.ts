/** @file How the index of a movement op's result becomes that of its input, and back. */
import type { Node, NodeOf } from '../graph/node.ts';
import { addScaled, constantExpr, reindexed, type Expr } from './affine.ts';

type Index = readonly Expr[];

/** The input's index for a movement op other than reshape. */
export function moved(
  node: Extract<Node, { op: 'permute' | 'expand' | 'slice' | 'shear' }>,
  index: Index,
): Expr[] {
  switch (node.op) {
    case 'permute': {
      const result = new Array<Expr>(index.length);
      node.attrs.order.forEach((from, axis) => (result[from] = index[axis]!));
      return result;
    }
    case 'expand': {
      const { shape } = node.inputs[0]!;
      return index.map((expr, axis) => (shape[axis] === 1 ? constantExpr(0) : expr));
    }
    case 'slice':
      return index.map((expr, axis) => {
        const { start, step } = node.attrs.ranges[axis]!;
        return addScaled(constantExpr(start), expr, step);
      });
    case 'shear':
      return sheared(node, index);
  }
}

function sheared(node: NodeOf<'shear'>, index: Index): Expr[] {
  const { axis, along, by } = node.attrs;
  const first = by < 0 ? -by * (node.shape[along]! - 1) : 0;
  const skewed = addScaled(addScaled(constantExpr(first), index[axis]!, 1), index[along]!, by);
  return index.map((expr, i) => (i === axis ? skewed : expr));
}

/** The index of `node`'s result at which its input's element `index` stands, for movement ops that keep all elements. */
export function movedForward(node: Node, index: Index): Expr[] | undefined {
  if (node.op === 'permute') return node.attrs.order.map((from) => index[from]!);
  if (node.op === 'reshape') return reindexed(index, node.inputs[0]!.shape, node.shape);
  const same = node.op === 'elementwise' || node.op === 'detach' || node.op === 'barrier';
  return same ? [...index] : undefined;
}
