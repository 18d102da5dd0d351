/**
 * @file A part of a graph that can be computed again: the nodes that a function made, and those made before
 * it that they read. Recomputation follows Chen et al. 2016 (https://arxiv.org/abs/1604.06174).
 */
import * as build from './build.ts';
import { makeNode, type Node } from './node.ts';

/** The nodes between a result and what was there before. */
export interface Region {
  readonly root: Node;
  /** What the region reads: earlier nodes, memory, host numbers. */
  readonly boundary: readonly Node[];
  /** Its own nodes that depend on the boundary, each after its inputs. */
  readonly inner: readonly Node[];
}

/** The region of nodes below `root` that were made since the node with serial `since` was due. */
export function regionSince(root: Node, since: number): Region {
  const seen = new Set([root]);
  const boundary: Node[] = [];
  const inner: Node[] = [];
  for (const node of seen) {
    if (node.op === 'constant') continue;
    if (node.serial < since || node.inputs.length === 0) boundary.push(node);
    else {
      inner.push(node);
      node.inputs.forEach((input) => seen.add(input));
    }
  }
  return { root, boundary, inner: inner.sort((a, b) => a.serial - b.serial) };
}

/** A region computed again, and where its gradients are to arrive. */
export interface Recomputed {
  readonly root: Node;
  /** Stand-ins for the boundary, in its order. */
  readonly boundary: readonly Node[];
}

/** The region over other boundary values (in order), computed apart from the first time and no earlier than `after`. */
export function recompute(
  { root, boundary, inner }: Region,
  values: readonly Node[],
  after: Node,
): Recomputed {
  const copies = new Map<Node, Node>();
  const fresh = values.map((value) => build.barrier(value, after));
  boundary.forEach((node, i) => copies.set(node, fresh[i]!));
  const copyOf = (node: Node): Node => copies.get(node) ?? node;
  for (const node of inner) copies.set(node, copy(node, node.inputs.map(copyOf), copyOf));
  return { root: copyOf(root), boundary: fresh };
}

function copy(node: Node, inputs: readonly Node[], copyOf: (node: Node) => Node): Node {
  if (node.op === 'barrier') return build.barrier(inputs[0]!, copyOf(node.attrs.after));
  return makeNode(node.op, inputs, node.attrs, node.shape, node.dtype);
}
