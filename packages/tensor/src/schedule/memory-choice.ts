/**
 * @file Which nodes get memory to begin with: results, products and what several kernels would otherwise
 * compute again at a cost. Everything else is computed where it is used.
 */
import type { Graph } from '../graph/graph.ts';
import { nodeSize, type Node } from '../graph/node.ts';
import { ELEMENTWISE } from '../ops/elementwise.ts';
import { Shifts, type Uses } from './shifts.ts';

/** An elementwise op of this cost takes about as much as a load. */
const COSTLY = 4;
/** What such an op costs, in simple ops. */
const COSTLY_OPS = 4;
/** Recomputing up to this many simple ops beats a trip through memory: two transcendentals do. */
const CHEAP = 10;
/** A random number is ten rounds of multiplications. */
const RANDOM_OPS = 16;

/** More often than this one kernel does not compute the same again: it loads it. */
export const MOST_TIMES = 4;

/** A kernel's text stays short. */
const MOST_PLACES = 16;

interface Cost {
  readonly ops: number;
  /** Full-size loads. */
  readonly loads: number;
  /** Contains a product, scatter or sort, which nobody computes twice. */
  readonly heavy: boolean;
  /** Length of the longest chain of ops inside. */
  readonly depth: number;
}

const FREE: Cost = { ops: 0, loads: 0, heavy: false, depth: 0 };
const LOAD: Cost = { ops: 0, loads: 1, heavy: false, depth: 0 };

/** A longer chain of ops is cut: kernels stay readable, and lowering may recurse. */
const DEEPEST = 200;

function isDear(cost: Cost): boolean {
  return cost.heavy || cost.loads > 1 || cost.ops > CHEAP;
}

function costOf(node: Node, known: ReadonlyMap<Node, Cost>): Cost {
  const inputs = node.inputs.map((x) => known.get(x)!);
  switch (node.op) {
    case 'buffer':
    case 'reduce':
      return LOAD;
    case 'constant':
    case 'scalar':
    case 'iota':
      return FREE;
    case 'random':
      return { ...FREE, ops: RANDOM_OPS };
    case 'matmul':
    case 'scatter':
    case 'argsort':
      return { ...LOAD, heavy: true };
    case 'expand':
      return { ...sum(inputs, 0), loads: 0 };
    case 'gather':
      return { ...LOAD, ops: 2, loads: 2 };
    case 'elementwise':
      return sum(inputs, ELEMENTWISE[node.attrs.name].cost >= COSTLY ? COSTLY_OPS : 1);
    default:
      return sum(inputs, 0);
  }
}

function sum(costs: readonly Cost[], ops: number): Cost {
  return {
    ops: costs.reduce((n, c) => n + c.ops, ops),
    loads: costs.reduce((n, c) => n + c.loads, 0),
    heavy: costs.some((c) => c.heavy),
    depth: 1 + Math.max(0, ...costs.map((c) => c.depth)),
  };
}

/** The consumers of each node of a graph. */
export function consumersOf(graph: Graph): Map<Node, Set<Node>> {
  const consumers = new Map<Node, Set<Node>>(graph.nodes.map((node) => [node, new Set()]));
  for (const node of graph.nodes) for (const input of node.inputs) consumers.get(input)!.add(node);
  return consumers;
}

/** Nodes with memory that use `node`, directly or through nodes without. */
export function rootsOf(
  node: Node,
  consumers: ReadonlyMap<Node, ReadonlySet<Node>>,
  memory: ReadonlySet<Node>,
  known: Map<Node, Set<Node>>,
): Set<Node> {
  const cached = known.get(node);
  if (cached) return cached;
  const roots = new Set<Node>();
  for (const user of consumers.get(node)!) {
    if (memory.has(user)) roots.add(user);
    else for (const root of rootsOf(user, consumers, memory, known)) roots.add(root);
  }
  known.set(node, roots);
  return roots;
}

/** Nodes with memory. */
export interface MemoryChoice {
  /** Lowering may add more. Leaves over memory are not listed. */
  readonly memory: Set<Node>;
  /** Those that no other kernel may compute inside itself: it is memory that rounds or cuts them. */
  readonly alone: ReadonlySet<Node>;
}

/** The first choice of nodes with memory. */
export function chooseMemory(
  graph: Graph,
  consumers: ReadonlyMap<Node, ReadonlySet<Node>>,
): MemoryChoice {
  const costs = new Map<Node, Cost>();
  const seen = new Map<Node, Cost>();
  for (const node of graph.nodes) {
    const cost = costOf(node, seen);
    costs.set(node, cost);
    // What will get memory costs its users a load, whatever it cost to make.
    const kept = consumers.get(node)!.size > 1 && isDear(cost);
    seen.set(node, kept || cost.depth >= DEEPEST ? LOAD : cost);
  }
  const outputs = new Set(graph.outputs.map((output) => output.node));
  const memory = new Set<Node>();
  const alone = new Set<Node>();
  const known = new Map<Node, Set<Node>>();
  const shifts = new Shifts(consumers, memory);
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i]!;
    if (node.op === 'buffer' || nodeSize(node) === 0) continue;
    const users = consumers.get(node)!.size;
    const roots = rootsOf(node, consumers, memory, known).size;
    const cost = costs.get(node)!;
    const uses = shifts.of(node);
    if (standsAlone(node, cost)) alone.add(node);
    if (outputs.has(node) || alone.has(node) || wantsMemory(node, cost, users, roots))
      memory.add(node);
    else if (node.op === 'elementwise' && recomputed(cost, uses)) memory.add(node);
  }
  return { memory, alone };
}

/** Casts to 16 bits, because only memory rounds, and the places where a long chain is cut. */
function standsAlone(node: Node, cost: Cost): boolean {
  const rounds = node.op === 'elementwise' && (node.dtype === 'f16' || node.dtype === 'bf16');
  return rounds || cost.depth >= DEEPEST;
}

/** True when a kernel would compute the node so often that loading it is cheaper. */
function recomputed(cost: Cost, { times, places }: Uses): boolean {
  if (cost.loads === 0) return false;
  if (places > MOST_PLACES) return true;
  return (times - 1) * cost.ops > CHEAP || (times > MOST_TIMES && isDear(cost));
}

/** Ops whose kernels compute nothing else, over whole buffers. */
export function standsApart({ op }: Node): boolean {
  return op === 'scatter' || op === 'argsort';
}

function wantsMemory(node: Node, cost: Cost, users: number, roots: number): boolean {
  if (node.op === 'matmul' || standsApart(node)) return true;
  if (node.op !== 'elementwise' && node.op !== 'gather') return false;
  if (roots > 1) return isDear(cost);
  return users > 1 && cost.heavy;
}
