/**
 * @file Reverse-mode differentiation as a graph transform (Baydin et al., JMLR 18, 2018, section 3.2):
 * one sweep from the loss towards the wanted tensors emits nodes; nothing runs. Only nodes on a path
 * are visited, so frozen weights get no gradient and nothing below the lowest wanted tensor is
 * differentiated.
 */
import { DTypeError, ShapeError, Tensor, isFloat, ones, showShape, zeros } from '@camada/tensor';
import type { Node } from '@camada/tensor';
import { carries, pathNodes, topological } from './path.ts';
import { ruleOf } from './rules/table.ts';

/** A value and its gradients. */
export interface ValueAndGradients {
  readonly value: Tensor;
  /** One for each wanted tensor, of its shape and dtype. */
  readonly gradients: Tensor[];
}

/**
 * Gradients of a loss of one element with respect to each tensor of `wrt`, in their shapes and dtypes. A
 * tensor on which the loss does not depend gets zeros. Paths are found by node identity: pass the very
 * tensors that the loss was built from. Integers and bools carry no gradient.
 *
 * Throws ShapeError when the loss has more than one element; DTypeError when the loss or a wanted tensor is
 * no float, or when the loss depends on the wanted tensors only through integers or bools.
 */
export function grad(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  check(loss, wrt);
  const targets = new Set(wrt.map((tensor) => tensor.node));
  const order = topological(loss.node);
  const path = pathNodes(order, targets);
  if (!path.has(loss.node)) checkMeaning(order, path);
  const gradients = sweep(loss, order, path);
  return wrt.map(
    ({ node, shape, dtype }) => gradients.get(node)?.cast(dtype) ?? zeros(shape, dtype),
  );
}

/** The value of `f()` and its gradients with respect to `wrt`, as `grad` gives them. */
export function valueAndGrad(f: () => Tensor, wrt: readonly Tensor[]): ValueAndGradients {
  const value = f();
  return { value, gradients: grad(value, wrt) };
}

/** The value of `x`, through which no gradient passes. */
export function stopGradient(x: Tensor): Tensor {
  return x.detach();
}

/**
 * Visits the nodes of the path from the loss down, giving each its whole gradient before its inputs'.
 * Gradients are f32 on the way, also those of 16-bit values.
 */
function sweep(loss: Tensor, order: readonly Node[], path: ReadonlySet<Node>): Map<Node, Tensor> {
  const gradients = new Map<Node, Tensor>();
  if (path.has(loss.node)) gradients.set(loss.node, ones(loss.shape));
  for (const node of order.toReversed()) {
    const dy = gradients.get(node);
    if (dy) pass(node, dy, path, gradients);
  }
  return gradients;
}

/** Adds a node's contribution to the gradient of each of its inputs that lies on the path. */
function pass(node: Node, dy: Tensor, path: ReadonlySet<Node>, into: Map<Node, Tensor>): void {
  const step = { node, dy, x: node.inputs.map((input) => Tensor.of(input)), y: Tensor.of(node) };
  node.inputs.forEach((input, i) => {
    if (!path.has(input) || !carries(node, i)) return;
    const dx = ruleOf(node).gradient(step, i);
    const before = into.get(input);
    into.set(input, before ? before.add(dx) : dx);
  });
}

function check(loss: Tensor, wrt: readonly Tensor[]): void {
  if (loss.size !== 1)
    throw new ShapeError(
      `grad: the loss must have one element, not shape ${showShape(loss.shape)}: reduce it with mean() or sum()`,
    );
  [loss, ...wrt].forEach(({ dtype }, i) => {
    const what = i === 0 ? 'the loss' : `tensor ${i - 1} of wrt`;
    if (!isFloat(dtype))
      throw new DTypeError(`grad: ${what} is ${dtype}; only f32, f16 and bf16 have gradients`);
  });
}

/** Throws when a wanted tensor is reached, but only through integers or bools: zeros would hide a mistake. */
function checkMeaning(order: readonly Node[], path: ReadonlySet<Node>): void {
  const broken = new Map<Node, Node>();
  for (const node of order) {
    const earlier = node.inputs.find((input) => broken.has(input));
    if (earlier) broken.set(node, broken.get(earlier)!);
    else if (!isFloat(node.dtype) && node.inputs.some((input) => path.has(input)))
      broken.set(node, node);
  }
  const culprit = broken.get(order[order.length - 1]!);
  if (culprit) throw new DTypeError(meaningless(culprit));
}

function meaningless({ op, attrs, dtype }: Node): string {
  const name = 'name' in attrs ? attrs.name : op;
  return (
    `grad: the loss depends on the wanted tensors only through ${name}, whose result is ${dtype}; ` +
    `integers and bools carry no gradient: use a smooth loss such as crossEntropy`
  );
}
