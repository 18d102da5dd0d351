/**
 * @file Sums over repeated axes. Where the gradient of a shared weight is a batch of products that would
 * only be summed, the batch moves into the inner dimension of one product instead:
 * Σ_b P_b·Q_b = [P_1 P_2 …]·[Q_1; Q_2; …].
 */
import { Tensor, sizeOf } from '@camada/tensor';
import type { Node } from '@camada/tensor';

/** Sum over `axes`, which stay with size 1. */
export function sumAxes(dy: Tensor, axes: readonly number[]): Tensor {
  if (axes.length === 0) return dy;
  const batch = dy.rank - 2;
  const node = dy.node;
  const whole = batch > 0 && axes.length === batch && axes.every((axis) => axis < batch);
  return node.op === 'matmul' && whole ? summedProduct(node, dy) : dy.sum(axes, true);
}

/** Σ over the batch of P [...batch, M, K] · Q [...batch, K, N], as [1…, M, N]. */
function summedProduct(product: Node, dy: Tensor): Tensor {
  const p = Tensor.of(product.inputs[0]!);
  const q = Tensor.of(product.inputs[1]!);
  const [m, n] = [p.shape.at(-2)!, q.shape.at(-1)!];
  const inner = sizeOf(q.shape.slice(0, -1)); // batch·K, also where N is 0
  const wide = batchIntoColumns(p, inner); // [M, batch·K]
  const tall = q.reshape([inner, n]); // [batch·K, N]
  return wide.matmul(tall).reshape([...dy.shape.slice(0, -2).map(() => 1), m, n]);
}

/** [...batch, M, K] → [M, batch·K]; of a transposed tensor the original is reshaped, which copies nothing. */
function batchIntoColumns(p: Tensor, inner: number): Tensor {
  const m = p.shape.at(-2)!;
  const original = beforeTranspose(p.node);
  if (original) return Tensor.of(original).reshape([inner, m]).transpose();
  const batch = p.rank - 2;
  const axes = Array.from({ length: batch }, (_, axis) => axis);
  return p.permute([batch, ...axes, batch + 1]).reshape([m, inner]);
}

/** x where `node` is x with its last two axes swapped. */
function beforeTranspose(node: Node): Node | undefined {
  if (node.op !== 'permute') return undefined;
  const { order } = node.attrs;
  const rank = order.length;
  const swapped = order.every((from, to) =>
    to < rank - 2 ? from === to : from === (to === rank - 1 ? rank - 2 : rank - 1),
  );
  return swapped ? node.inputs[0] : undefined;
}
