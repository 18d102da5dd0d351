/**
 * @file Which kernels there are. Every node with memory starts as a kernel of its own; then producers join
 * the kernel of a consumer where one loop can compute both: a product takes its bias, activation and
 * residual as epilogue, an optimizer's moments and parameter become one update, a norm stores its statistics.
 */
import { CamadaError, invariant } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { nodeSize, type Node } from '../graph/node.ts';
import type { ScheduleLimits } from './plan.ts';
import { emitLoops, emitMatmul, emitScatter, emitSort, type Emitted } from './emit.ts';
import type { Expr } from './affine.ts';
import { Lowering, NeedsMemory } from './lower.ts';
import { chooseMemory, consumersOf, rootsOf, standsApart } from './memory-choice.ts';
import { movedForward } from './moved.ts';
import { stridedOperand } from './operand.ts';

/** A kernel and the nodes it computes into memory. */
export interface Group {
  readonly host: Node;
  readonly members: ReadonlySet<Node>;
  readonly emitted: Emitted;
  /** Nodes with memory that barriers inside make it wait for, whether it reads them or not. */
  readonly waits: ReadonlySet<Node>;
}

/** Thrown when a kernel would bind more buffers than the device allows. */
class TooManyBuffers {}

/** How many hosts a producer tries to join. */
const JOIN_ATTEMPTS = 3;

/** Groups the nodes of a graph into kernels. */
export class Grouping {
  private readonly graph: Graph;
  private readonly limits: ScheduleLimits;
  private readonly consumers: Map<Node, Set<Node>>;
  private readonly memory: Set<Node>;
  private readonly alone: ReadonlySet<Node>;
  private readonly outputs: Set<Node>;
  private readonly slots: Map<Node, number>;
  private readonly position: Map<Node, number>;
  private readonly groups = new Map<Node, Group>();
  private readonly hosts = new Map<Node, Node>();
  private roots = new Map<Node, Set<Node>>();
  private readonly hasBarriers: boolean;

  constructor(graph: Graph, limits: ScheduleLimits) {
    this.graph = graph;
    this.limits = limits;
    this.consumers = consumersOf(graph);
    const choice = chooseMemory(graph, this.consumers);
    this.memory = choice.memory;
    this.alone = choice.alone;
    this.outputs = new Set(graph.outputs.map((output) => output.node));
    this.slots = new Map(graph.scalars.map((node, slot) => [node, slot]));
    this.position = new Map(graph.nodes.map((node, i) => [node, i]));
    this.hasBarriers = graph.nodes.some((node) => node.op === 'barrier');
  }

  /** All kernels, unordered. */
  run(): Group[] {
    this.lowerAlone();
    if (this.hasBarriers)
      for (const group of this.groups.values())
        this.groups.set(group.host, { ...group, waits: this.waitsOf(group.host, group.members) });
    const inOrder = this.inOrder();
    for (const node of inOrder) this.hosts.set(node, node);
    for (let i = inOrder.length - 1; i >= 0; i--) this.join(inOrder[i]!);
    return [...this.groups.values()];
  }

  private inOrder(): Node[] {
    return this.graph.nodes.filter((node) => this.memory.has(node));
  }

  /** Lowers every node with memory on its own, giving memory to what cannot be computed in place. */
  private lowerAlone(): void {
    const stale = new Set(this.memory);
    for (let guard = 0; stale.size > 0; guard++) {
      invariant(guard < 1000, 'scheduling does not settle');
      this.roots = new Map();
      const added = new Set<Node>();
      for (const host of stale) this.lowerOne(host, added);
      stale.clear();
      for (const node of added) {
        for (const root of rootsOf(node, this.consumers, this.memory, new Map())) stale.add(root);
        stale.add(node);
      }
      for (const node of added) this.memory.add(node);
    }
    this.roots = new Map();
  }

  private lowerOne(host: Node, added: Set<Node>): void {
    try {
      this.groups.set(host, this.lower(host, new Set()));
    } catch (reason) {
      added.add(this.neededBy(host, reason));
    }
  }

  private neededBy(host: Node, reason: unknown): Node {
    if (reason instanceof TooManyBuffers) return this.cut(host);
    if (!(reason instanceof NeedsMemory)) throw reason;
    invariant(!this.memory.has(reason.node), `no way to lower ${host.op} over ${reason.node.op}`);
    return reason.node;
  }

  /** The largest part of an overfull kernel that fits on its own. */
  private cut(host: Node): Node {
    const touched = new Map<Node, Set<Node>>();
    const visit = (node: Node): Set<Node> => {
      const known = touched.get(node);
      if (known) return known;
      const leaf = node !== host && (this.memory.has(node) || node.op === 'buffer');
      const set = leaf ? new Set([node]) : new Set(node.inputs.flatMap((x) => [...visit(x)]));
      touched.set(node, set);
      return set;
    };
    visit(host);
    const limit = this.limits.maxBuffersPerKernel - 1;
    const parts = [...touched].filter(
      ([node, set]) => node !== host && !this.memory.has(node) && set.size > 1 && set.size <= limit,
    );
    parts.sort((a, b) => b[1].size - a[1].size);
    if (!parts[0])
      throw new CamadaError(
        `${host.op}: needs more than the ${this.limits.maxBuffersPerKernel} storage buffers that this device allows a kernel`,
      );
    return parts[0][0];
  }

  /** Lowers `host` with `members` computed inside. Throws NeedsMemory or TooManyBuffers. */
  private lower(host: Node, members: ReadonlySet<Node>): Group {
    const emitted = this.emit(host, members);
    if (emitted.memory.length > this.limits.maxBuffersPerKernel) throw new TooManyBuffers();
    return { host, members, emitted, waits: this.waitsOf(host, members) };
  }

  /** What the barriers inside a kernel wait for. */
  private waitsOf(host: Node, members: ReadonlySet<Node>): Set<Node> {
    const waits = new Set<Node>();
    if (!this.hasBarriers) return waits;
    const inside = (node: Node): boolean =>
      node === host || members.has(node) || !this.hasMemory(node);
    for (const node of below([host], inside))
      if (node.op === 'barrier')
        for (const source of below([node.attrs.after], (x) => !this.memory.has(x)))
          if (this.memory.has(source) && !inside(source)) waits.add(source);
    return waits;
  }

  /** Kernels that wait for a node without reading it. */
  private waiting(node: Node): Node[] {
    if (!this.hasBarriers) return [];
    return [...this.groups.values()].flatMap(({ host, waits }) => (waits.has(node) ? [host] : []));
  }

  private readonly hasMemory = (node: Node): boolean =>
    node.op === 'buffer' || this.memory.has(node);

  private emit(host: Node, members: ReadonlySet<Node>): Emitted {
    if (standsApart(host))
      for (const x of host.inputs) if (!this.hasMemory(x)) throw new NeedsMemory(x);
    if (host.op === 'scatter') return emitScatter(labelOf(host, new Set()), host);
    if (host.op === 'argsort') return emitSort(labelOf(host, new Set()), host);
    const product = [host, ...members].find((node) => node.op === 'matmul');
    const context = {
      hasMemory: (node: Node) => node !== host && this.hasMemory(node),
      members,
      stored: (node: Node) => node === host || this.isLoadedOutside(node, host),
      slotOf: (node: Node) => this.slots.get(node)!,
    };
    const lowering = new Lowering(context, (product ?? host).shape, product);
    const start = product ? this.forward(product, host, members, lowering) : lowering.loopIndex();
    lowering.lowerRoot(host, start);
    const label = labelOf(host, members);
    if (!product) return emitLoops(label, lowering.draft, lowering.axes, lowering.row);
    const [a, b] = product.inputs as readonly [Node, Node];
    // An operand is read before the product exists: it cannot be computed in its epilogue.
    const loaded = (node: Node): boolean => this.hasMemory(node) && !members.has(node);
    const operands = {
      a: stridedOperand(a, loaded),
      b: stridedOperand(b, loaded),
      axes: lowering.axes,
      inner: a.shape.at(-1)!,
    };
    const emitted = emitMatmul(label, lowering.draft, operands);
    if (!emitted) throw new NeedsMemory(product);
    return emitted;
  }

  /** The index of `host` at the loop point of `product`, along a path between them. */
  private forward(
    product: Node,
    host: Node,
    members: ReadonlySet<Node>,
    lowering: Lowering,
  ): Expr[] {
    let index = lowering.loopIndex();
    for (const node of this.path(product, host, members)) {
      const next = movedForward(node, index);
      if (!next) throw new NeedsMemory(product);
      index = next;
    }
    return index;
  }

  /** Nodes after `from` up to `to`, inside the kernel. */
  private path(from: Node, to: Node, members: ReadonlySet<Node>): Node[] {
    const queue: Node[][] = [[from]];
    const seen = new Set<Node>([from]);
    for (let path = queue.shift(); path; path = queue.shift()) {
      const last = path.at(-1)!;
      if (last === to) return path.slice(1);
      for (const user of this.consumers.get(last)!) {
        const inside = user === to || members.has(user) || !this.memory.has(user);
        if (!inside || seen.has(user)) continue;
        seen.add(user);
        queue.push([...path, user]);
      }
    }
    throw new NeedsMemory(from);
  }

  private rootsOf(node: Node): Set<Node> {
    return rootsOf(node, this.consumers, this.memory, this.roots);
  }

  private isLoadedOutside(node: Node, host: Node): boolean {
    if (this.outputs.has(node)) return true;
    return [...this.rootsOf(node)].some((root) => (this.hosts.get(root) ?? root) !== host);
  }

  /** Moves a producer into the kernel of a consumer, where that is possible and pays. */
  private join(node: Node): void {
    if (this.alone.has(node)) return;
    const roots = [...this.rootsOf(node)].sort(
      (a, b) => this.position.get(a)! - this.position.get(b)!,
    );
    const hosts = [...new Set(roots.map((root) => this.hosts.get(root)!))];
    const waiting = this.waiting(node).filter((host) => host !== node);
    const candidates = hosts.filter((host) => this.mayJoin(node, host)).slice(0, JOIN_ATTEMPTS);
    for (const host of candidates) {
      const others = [...hosts, ...waiting].filter((other) => other !== host);
      if (others.some((other) => this.dependsOn(host, other))) continue;
      if (this.tryJoin(node, host)) return;
    }
  }

  private tryJoin(node: Node, host: Node): boolean {
    const members = new Set([...this.groups.get(host)!.members, node]);
    this.hosts.set(node, host);
    try {
      this.groups.set(host, this.lower(host, members));
      this.groups.delete(node);
      return true;
    } catch (reason) {
      this.hosts.set(node, node);
      if (reason instanceof NeedsMemory || reason instanceof TooManyBuffers) return false;
      throw reason;
    }
  }

  /** A quick look at sizes; lowering decides. */
  private mayJoin(node: Node, host: Node): boolean {
    if (host === node || host.op === 'matmul') return false;
    if (standsApart(host) || standsApart(node)) return false;
    const { kernel } = this.groups.get(host)!.emitted;
    const sameSize = nodeSize(node) === nodeSize(host);
    if (kernel.kind === 'matmul') return sameSize;
    if (node.op === 'matmul') return kernel.kind === 'map' && sameSize;
    const own = this.groups.get(node)!.emitted.kernel;
    if (host.op === 'reduce' && own.kind !== 'row') return false;
    if (loopSize(own.loop) !== loopSize(kernel.loop)) return false;
    return kernel.kind === 'map' || !this.hasProduct(node);
  }

  /** True when the node's own kernel could take in a matmul. */
  private hasProduct(node: Node): boolean {
    const { memory } = this.groups.get(node)!.emitted;
    return memory.some((object) => object !== node && (object as Partial<Node>).op === 'matmul');
  }

  /** True when kernel `a` must run after kernel `b`. */
  private dependsOn(a: Node, b: Node): boolean {
    const seen = new Set<Node>();
    const stack = [a];
    for (let host = stack.pop(); host; host = stack.pop()) {
      if (host === b) return true;
      if (seen.has(host)) continue;
      seen.add(host);
      stack.push(...this.producersOf(host));
    }
    return false;
  }

  private producersOf(host: Node): Node[] {
    return producers(this.groups.get(host)!, this.hosts);
  }

  /** The host of each node with memory. */
  hostOf(): ReadonlyMap<Node, Node> {
    return this.hosts;
  }
}

/** Hosts whose results a group reads or waits for. */
export function producers(group: Group, hosts: ReadonlyMap<Node, Node>): Node[] {
  const { kernel, memory } = group.emitted;
  const read = memory.filter((_, i) => kernel.buffers[i]!.access !== 'write');
  return [...read, ...group.waits].flatMap((object) => {
    const host = hosts.get(object as Node);
    return host && host !== group.host ? [host] : [];
  });
}

/** The roots and all nodes below those of them that `open` lets through. */
function below(roots: readonly Node[], open: (node: Node) => boolean): Set<Node> {
  const seen = new Set(roots);
  for (const node of seen) if (open(node)) node.inputs.forEach((input) => seen.add(input));
  return seen;
}

function loopSize(loop: readonly number[]): number {
  return loop.reduce((n, size) => n * size, 1);
}

/** `matmul+add+gelu`-like names for people: the memory nodes of the kernel, producers first. */
function labelOf(host: Node, members: ReadonlySet<Node>): string {
  const name = (node: Node): string =>
    node.op === 'elementwise' || node.op === 'reduce' ? node.attrs.name : node.op;
  return [...[...members].reverse().map(name), name(host)].join('+') + `[${host.shape.join('x')}]`;
}
