/**
 * @file Reverse-mode differentiation as a graph transform (Baydin et al., JMLR 18, 2018, section 3.2): one
 * sweep from the results towards the wanted tensors emits nodes; nothing runs. Only nodes on a path are
 * visited, so frozen weights get no gradient and nothing below the lowest wanted tensor is differentiated.
 */
import { Tensor, isFloat } from '@camada/tensor';
import type { Node, NodeTable } from '@camada/tensor';
import { carries, pathNodes, targetsIn, topological } from './path.ts';
import { ruleOf } from './rules/table.ts';

/** What one sweep found. */
export interface Sweep {
  /** Gradient of each wanted tensor; undefined where none arrives. f32 also for 16-bit tensors. */
  readonly gradients: (Tensor | undefined)[];
  /** All nodes below the results, each after its inputs. */
  readonly order: readonly Node[];
  /** The nodes that stand for each wanted tensor. */
  readonly targets: readonly ReadonlySet<Node>[];
}

/** Sums over the results of (∂result/∂wanted)ᵀ · seed; seeds have the shapes of the results. */
export function sweep(
  results: readonly Tensor[],
  seeds: readonly Tensor[],
  wrt: readonly Tensor[],
): Sweep {
  const order = topological(results.map((result) => result.node));
  const targets = targetsIn(order, wrt);
  const path = pathNodes(order, new Set(targets.flatMap((nodes) => [...nodes])));
  const found = new Map<number, Tensor>();
  results.forEach(({ node }, i) => {
    if (path.has(node)) add(found, node, seeds[i]!);
  });
  for (let i = order.length - 1; i >= 0; i--) {
    const dy = found.get(order[i]!.serial);
    if (dy) pass(order[i]!, dy, path, found);
  }
  return { gradients: targets.map((nodes) => total(nodes, found)), order, targets };
}

function add(into: Map<number, Tensor>, { serial }: Node, gradient: Tensor): void {
  const before = into.get(serial);
  into.set(serial, before ? before.add(gradient) : gradient);
}

function total(nodes: ReadonlySet<Node>, found: ReadonlyMap<number, Tensor>): Tensor | undefined {
  let sum: Tensor | undefined;
  for (const node of nodes) {
    const gradient = found.get(node.serial);
    if (gradient) sum = sum ? sum.add(gradient) : gradient;
  }
  return sum;
}

/** Adds a node's contribution to the gradient of each of its inputs that lies on the path. */
function pass(node: Node, dy: Tensor, path: NodeTable, into: Map<number, Tensor>): void {
  const wanted = node.inputs.map((input, i) => path.has(input) && carries(node, i));
  if (!wanted.includes(true)) return;
  const step = { node, dy, x: node.inputs.map(operand), y: Tensor.of(node), wanted };
  node.inputs.forEach((input, i) => {
    if (wanted[i]) add(into, input, ruleOf(node).gradient(step, i));
  });
}

/** Conditions and indices are constants to a derivative. */
function operand(node: Node): Tensor {
  const x = Tensor.of(node);
  return isFloat(node.dtype) ? x : x.detach();
}
