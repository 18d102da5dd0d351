/**
 * @file Which nodes lie between a result and the tensors whose gradients are wanted. Iterative: graphs are
 * deeper than the call stack.
 */
import { NodeTable, isFloat } from '@camada/tensor';
import type { Node, Tensor } from '@camada/tensor';
import { ruleOf } from './rules/table.ts';

/** True when a gradient can pass from `node` to its input: both are floats and the op is differentiable. */
export function carries(node: Node, input: number): boolean {
  return (
    isFloat(node.dtype) && isFloat(node.inputs[input]!.dtype) && ruleOf(node).carries(node, input)
  );
}

/** All nodes below the roots, themselves included, each after its inputs. */
export function topological(roots: readonly Node[]): Node[] {
  const order: Node[] = [];
  const seen = new NodeTable();
  const path: Node[] = [];
  const next: number[] = [];
  const meet = (node: Node): void => {
    if (seen.has(node)) return;
    seen.set(node, 0);
    if (node.inputs.length === 0) order.push(node);
    else {
      path.push(node);
      next.push(0);
    }
  };
  for (const root of roots) {
    meet(root);
    while (path.length > 0) {
      const top = path.length - 1;
      const input = path[top]!.inputs[next[top]!++];
      if (input) meet(input);
      else {
        order.push(path.pop()!);
        next.pop();
      }
    }
  }
  return order;
}

/**
 * The nodes of `order` that stand for each tensor of `wrt`: its own, and those from the time before it was
 * computed and kept, since reading a tensor puts memory in the place of its node.
 */
export function targetsIn(order: readonly Node[], wrt: readonly Tensor[]): Set<Node>[] {
  const targets = wrt.map(({ node }) => new Set([node]));
  const byMemory = new Map<object, Set<Node>[]>();
  wrt.forEach(({ node }, i) => {
    const memory = memoryOf(node);
    if (memory) byMemory.set(memory, [...(byMemory.get(memory) ?? []), targets[i]!]);
  });
  if (byMemory.size === 0) return targets;
  for (const node of order) {
    const memory = memoryOf(node);
    if (memory) byMemory.get(memory)?.forEach((target) => target.add(node));
  }
  return targets;
}

function memoryOf(node: Node): object | undefined {
  return node.op === 'buffer' ? node.attrs.storage : node.cache;
}

/** The nodes of `order` (each after its inputs) through which a gradient reaches one of `targets`. */
export function pathNodes(order: readonly Node[], targets: ReadonlySet<Node>): NodeTable {
  const path = new NodeTable();
  for (const node of order) if (targets.has(node) || leads(node, path)) path.set(node, 0);
  return path;
}

function leads(node: Node, path: NodeTable): boolean {
  for (let i = 0; i < node.inputs.length; i++)
    if (path.has(node.inputs[i]!) && carries(node, i)) return true;
  return false;
}
