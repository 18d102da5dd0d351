/**
 * @file From wanted nodes to a Graph: topological order, equal subexpressions merged, inputs and host
 * numbers numbered, and the structural key under which the compiled program is cached. The graph's
 * leaves are stand-ins without memory, so that a cached program keeps nobody's data alive.
 */
import * as build from './build.ts';
import type { Graph } from './graph.ts';
import { bufferNode, makeNode, type Node, type Storage } from './node.ts';
import { NodeTable } from './node-table.ts';
import { Structure, textId } from './structure.ts';

/** A node to compute, and the memory it replaces, if any. */
export interface Wanted {
  readonly node: Node;
  readonly replaces: Storage | undefined;
}

/** One run's data and structure. `graph()` is only needed when no program is cached under `key`. */
export interface Trace {
  readonly key: string;
  readonly inputs: readonly Storage[];
  /** For each input a node that reads it. */
  readonly leaves: readonly Node[];
  /** Scalar nodes by slot. */
  readonly scalars: readonly Node[];
  /** Nodes to compute that were made before the one with this serial. */
  readonly madeBefore: (serial: number) => Node[];
  readonly graph: () => Graph;
}

interface Entry {
  readonly node: Node;
  readonly inputs: readonly number[];
  /** For barriers: what they wait for. */
  readonly after: number | undefined;
  /** For leaves over memory: index in inputs. */
  readonly input: number | undefined;
}

class Tracer {
  readonly entries: Entry[] = [];
  readonly structure: Structure = new Structure();
  readonly inputs: Storage[] = [];
  readonly leaves: Node[] = [];
  readonly scalars: Node[] = [];
  /** Entry of each node. */
  private readonly ids = new NodeTable();
  private readonly inputIds = new Map<Storage, number>();

  /** Numbers `root` and everything below it; iterative, since graphs are deep. */
  visit(root: Node): number {
    const { ids } = this;
    const path: Node[] = [];
    const next: number[] = [];
    const meet = (node: Node): void => {
      if (ids.has(node)) return;
      const storage = leafStorage(node);
      if (storage) ids.set(node, this.leaf(node, storage));
      else {
        path.push(node);
        next.push(0);
      }
    };
    meet(root);
    while (path.length > 0) {
      const top = path.length - 1;
      const node = path[top]!;
      const below = earlier(node, next[top]!++);
      if (below) meet(below);
      else {
        ids.set(node, this.number(node));
        path.pop();
        next.pop();
      }
    }
    return ids.get(root);
  }

  private number(node: Node): number {
    const { structure, ids } = this;
    if (node.op === 'detach' || node.op === 'customGradient') return ids.get(node.inputs[0]!);
    if (node.op === 'scalar') this.scalars.push(node);
    const after = node.op === 'barrier' ? ids.get(node.attrs.after) : undefined;
    const inputs = node.inputs.length === 0 ? NOTHING : node.inputs.map((x) => ids.get(x));
    structure.push(textId(node.op));
    if (node.op === 'constant') structure.pushNumber(node.attrs.value);
    else structure.push(textId(attrsKey(node)));
    structure.push(after ?? -1);
    structure.pushAll(inputs);
    return this.add({ node, inputs, after, input: undefined }, node.op !== 'scalar');
  }

  private leaf(node: Node, storage: Storage): number {
    let input = this.inputIds.get(storage);
    if (input === undefined) {
      input = this.inputs.push(storage) - 1;
      this.leaves.push(node);
      this.inputIds.set(storage, input);
    }
    this.structure.push(textId('buffer'));
    this.structure.push(input);
    return this.add({ node, inputs: NOTHING, after: undefined, input }, true);
  }

  /** Equal records are one node, except host numbers: their equality today is a coincidence. */
  private add(entry: Entry, share: boolean): number {
    this.structure.push(textId(entry.node.dtype));
    this.structure.pushAll(entry.node.shape);
    const id = this.structure.end(share);
    if (id === this.entries.length) this.entries.push(entry);
    return id;
  }

  /** The name of the structure, with the wanted entries and what they replace. */
  finish(ids: readonly number[], replaces: readonly (number | undefined)[]): string {
    this.structure.pushAll(ids);
    this.structure.pushAll(replaces.map((input) => input ?? -1));
    return this.structure.name();
  }

  inputOf(storage: Storage | undefined): number | undefined {
    return storage && this.inputIds.get(storage);
  }
}

const NOTHING: readonly number[] = [];

/** The memory of a node that needs no computing. */
export function leafStorage(node: Node): Storage | undefined {
  if (node.op === 'buffer') return node.attrs.storage;
  return node.cache?.disposed ? undefined : node.cache;
}

/** The nodes that are numbered before a node, one by one; a gradient rule's arguments are not. */
function earlier(node: Node, index: number): Node | undefined {
  if (index === 0) return node.inputs[0];
  if (node.op === 'customGradient') return undefined;
  return node.op === 'barrier' && index === 1 ? node.attrs.after : node.inputs[index];
}

/** What makes nodes of one op, type and shape over the same inputs different. */
function attrsKey(node: Node): string {
  switch (node.op) {
    case 'elementwise':
      return node.attrs.name;
    case 'reduce':
      return `${node.attrs.name}:${node.attrs.axes.join()}`;
    case 'argsort':
      return String(node.attrs.descending);
    case 'permute':
      return node.attrs.order.join();
    case 'slice':
      return node.attrs.ranges.map((r) => `${r.start}:${r.step}`).join();
    case 'pad':
      return `${node.attrs.before.join()}:${node.attrs.interior.join()}:${node.attrs.value}`;
    case 'scatter':
      return node.attrs.keep;
    case 'shear':
      return `${node.attrs.axis},${node.attrs.along},${node.attrs.by}`;
    case 'buffer':
    case 'constant':
    case 'scalar':
    case 'iota':
    case 'random':
    case 'reshape':
    case 'expand':
    case 'matmul':
    case 'gather':
    case 'detach':
    case 'barrier':
    case 'customGradient':
      return '';
  }
}

/** Traces what one run computes. */
export function trace(wanted: readonly Wanted[]): Trace {
  const tracer = new Tracer();
  const ids = wanted.map((want) => tracer.visit(want.node));
  const replaces = wanted.map((want) => tracer.inputOf(want.replaces));
  return {
    key: tracer.finish(ids, replaces),
    inputs: tracer.inputs,
    leaves: tracer.leaves,
    scalars: tracer.scalars,
    madeBefore: (serial) =>
      tracer.entries.flatMap(({ node, inputs }) =>
        inputs.length > 0 && node.serial < serial ? [node] : [],
      ),
    graph: () => buildGraph(tracer, ids, replaces),
  };
}

function buildGraph(
  tracer: Tracer,
  ids: readonly number[],
  replaces: readonly (number | undefined)[],
): Graph {
  const inputs: Storage[] = tracer.inputs.map(({ dtype, size }) => ({
    dtype,
    size,
    host: undefined,
    device: undefined,
    disposed: false,
  }));
  const nodes: Node[] = [];
  for (const { node, inputs: from, after, input } of tracer.entries) {
    if (input !== undefined) nodes.push(bufferNode(inputs[input]!, node.shape));
    else if (after !== undefined) nodes.push(build.barrier(nodes[from[0]!]!, nodes[after]!));
    else
      nodes.push(
        makeNode(
          node.op,
          from.map((id) => nodes[id]!),
          node.attrs,
          node.shape,
          node.dtype,
        ),
      );
  }
  const taken = new Set<Node>();
  const outputs = ids.map((id, i) => ({
    node: separate(nodes[id]!, taken, nodes),
    replaces: replaces[i],
  }));
  const scalars = tracer.entries.flatMap(({ node }, id) =>
    node.op === 'scalar' ? [nodes[id]!] : [],
  );
  return { nodes, outputs, inputs, scalars };
}

/** Each output gets memory of its own: a leaf or a second use of a node becomes a copy. */
function separate(node: Node, taken: Set<Node>, nodes: Node[]): Node {
  let output = node;
  while (output.op === 'buffer' || taken.has(output)) {
    output = makeNode('detach', [output], {}, node.shape, node.dtype);
    nodes.push(output);
  }
  taken.add(output);
  return output;
}
