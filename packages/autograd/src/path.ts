/**
 * @file Which nodes lie between a result and the tensors whose gradients are wanted. Iterative: graphs are
 * deeper than the call stack.
 */
import { isFloat } from '@camada/tensor';
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
  const seen = new Set<Node>();
  for (const root of roots) {
    if (seen.has(root)) continue;
    seen.add(root);
    const stack: { readonly node: Node; next: number }[] = [{ node: root, next: 0 }];
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const input = top.node.inputs[top.next++];
      if (input === undefined) {
        order.push(top.node);
        stack.pop();
      } else if (!seen.has(input)) {
        seen.add(input);
        stack.push({ node: input, next: 0 });
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
export function pathNodes(order: readonly Node[], targets: ReadonlySet<Node>): Set<Node> {
  const path = new Set<Node>();
  for (const node of order) {
    const leads = node.inputs.some((input, i) => path.has(input) && carries(node, i));
    if (leads || targets.has(node)) path.add(node);
  }
  return path;
}
