/** @file Shared by the tests, which run on the f64 reference device: inputs and counting of nodes. */
import { openDevice, tensor, useDevice } from '@camada/tensor';
import type { Node, OpName, Shape, Tensor } from '@camada/tensor';

useDevice(await openDevice('reference'));

/** Numbers in [low, high), from a fixed linear congruential sequence. */
export function numbers(count: number, low = -1, high = 1, seed = 1): Float64Array {
  let state = (seed * 2654435761) >>> 0;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return low + ((high - low) * state) / 2 ** 32;
  });
}

/** A tensor of such numbers. */
export function sample(shape: Shape, seed = 1, low = -1, high = 1): Tensor {
  const size = shape.reduce((product, n) => product * n, 1);
  return tensor(numbers(size, low, high, seed), shape);
}

/** How many distinct nodes of this op lie below the tensors. */
export function countOps(tensors: readonly Tensor[], op: OpName): number {
  const seen = new Set<Node>();
  const stack = tensors.map((t) => t.node);
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push(...node.inputs);
  }
  return [...seen].filter((node) => node.op === op).length;
}
