/**
 * @file From wanted nodes to a Graph: topological order, equal subexpressions merged, inputs and host
 * numbers numbered, and the structural key under which the compiled program is cached. The graph's
 * leaves are stand-ins without memory, so that a cached program keeps nobody's data alive.
 */
import * as build from './build.ts';
import type { Graph } from './graph.ts';
import { bufferNode, makeNode, type Node, type Storage } from './node.ts';

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
  readonly graph: () => Graph;
}

interface Entry {
  readonly node: Node;
  readonly inputs: readonly number[];
  /** For barriers: what they wait for. */
  readonly after?: number;
  /** For leaves over memory: index in inputs. */
  readonly input: number | undefined;
}

class Tracer {
  readonly entries: Entry[] = [];
  readonly keys: string[] = [];
  readonly inputs: Storage[] = [];
  readonly leaves: Node[] = [];
  readonly scalars: Node[] = [];
  private readonly ids = new Map<Node, number>();
  private readonly byKey = new Map<string, number>();
  private readonly inputIds = new Map<Storage, number>();

  /** Numbers `root` and everything below it; iterative, since graphs are deep. */
  visit(root: Node): number {
    const stack: Node[] = [root];
    while (stack.length > 0) {
      const node = stack[stack.length - 1]!;
      if (this.ids.has(node)) {
        stack.pop();
        continue;
      }
      const waiting = leafStorage(node) ? [] : earlier(node).filter((x) => !this.ids.has(x));
      if (waiting.length === 0) {
        this.ids.set(node, this.number(node));
        stack.pop();
      } else for (let i = waiting.length - 1; i >= 0; i--) stack.push(waiting[i]!);
    }
    return this.ids.get(root)!;
  }

  private number(node: Node): number {
    const storage = leafStorage(node);
    if (storage) return this.leaf(node, storage);
    if (node.op === 'scalar') {
      this.scalars.push(node);
      return this.add(`s${node.dtype}`, { node, inputs: [], input: undefined }, false);
    }
    const inputs = usedInputs(node).map((x) => this.ids.get(x)!);
    if (node.op === 'detach' || node.op === 'customGradient') return inputs[0]!;
    const type = `[${node.shape.join()}]${node.dtype}`;
    if (node.op === 'barrier') {
      const after = this.ids.get(node.attrs.after)!;
      const entry = { node, inputs, after, input: undefined };
      return this.add(`barrier(${inputs.join()})${after}${type}`, entry, true);
    }
    const key = `${node.op}(${inputs.join()})${attrsKey(node)}${type}`;
    return this.add(key, { node, inputs, input: undefined }, true);
  }

  private leaf(node: Node, storage: Storage): number {
    let input = this.inputIds.get(storage);
    if (input === undefined) {
      input = this.inputs.push(storage) - 1;
      this.leaves.push(node);
      this.inputIds.set(storage, input);
    }
    const key = `b${input}[${node.shape.join()}]${node.dtype}`;
    return this.add(key, { node, inputs: [], input }, true);
  }

  /** Equal keys are one node, except host numbers: their equality today is a coincidence. */
  private add(key: string, entry: Entry, share: boolean): number {
    const known = share ? this.byKey.get(key) : undefined;
    if (known !== undefined) return known;
    const id = this.entries.push(entry) - 1;
    this.keys.push(key);
    if (share) this.byKey.set(key, id);
    return id;
  }

  inputOf(storage: Storage | undefined): number | undefined {
    return storage && this.inputIds.get(storage);
  }
}

/** The memory of a node that needs no computing. */
export function leafStorage(node: Node): Storage | undefined {
  if (node.op === 'buffer') return node.attrs.storage;
  return node.cache?.disposed ? undefined : node.cache;
}

/** What the value is computed from: a gradient rule's arguments are not. */
function usedInputs(node: Node): readonly Node[] {
  return node.op === 'customGradient' ? [node.inputs[0]!] : node.inputs;
}

/** What is numbered before a node. */
function earlier(node: Node): readonly Node[] {
  return node.op === 'barrier' ? [...node.inputs, node.attrs.after] : usedInputs(node);
}

function attrsKey(node: Node): string {
  switch (node.op) {
    case 'constant':
      return `=${Object.is(node.attrs.value, -0) ? '-0' : node.attrs.value}`;
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
  const outputs = ids.map((id, i) => `${id}${replaces[i] === undefined ? '' : `>${replaces[i]}`}`);
  return {
    key: `${tracer.keys.join(';')}|${outputs.join()}`,
    inputs: tracer.inputs,
    leaves: tracer.leaves,
    scalars: tracer.scalars,
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
