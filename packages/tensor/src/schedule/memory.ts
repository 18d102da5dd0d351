/**
 * @file The memory plan: lifetimes come from the order of the kernels; scratch is shared by values that
 * are not alive together; an updated parameter is written over the old one where no later kernel reads it.
 */
import { bytesPerElement } from '../dtype.ts';
import { sizeOf } from '../shape.ts';
import type { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import type { Affine, Kernel, KernelBuffer, Store, Value } from './kernel.ts';
import type { Group } from './group.ts';
import type { Plan, PlanBuffer } from './plan.ts';

/** A free scratch slot may be this much larger than what it is taken for. */
const SLACK = 1.25;

class Planner {
  readonly buffers: PlanBuffer[] = [];
  private readonly ids = new Map<object, number>();
  private readonly free: number[] = [];
  private readonly graph: Graph;
  private readonly order: readonly Group[];
  private readonly lastUse = new Map<object, number>();

  constructor(graph: Graph, order: readonly Group[]) {
    this.graph = graph;
    this.order = order;
    order.forEach((group, i) =>
      group.emitted.memory.forEach((object) => this.lastUse.set(object, i)),
    );
    graph.inputs.forEach((storage, index) => {
      this.ids.set(storage, this.buffers.length);
      this.buffers.push({ role: 'input', index, size: storage.size, dtype: storage.dtype });
    });
    graph.outputs.forEach((output, index) => this.placeOutput(output.node, output.replaces, index));
  }

  private placeOutput(node: Node, replaces: number | undefined, index: number): void {
    const storage = replaces === undefined ? undefined : this.graph.inputs[replaces];
    if (storage && this.mayOverwrite(node, storage)) {
      this.ids.set(node, this.ids.get(storage)!);
      return;
    }
    this.ids.set(node, this.buffers.length);
    this.buffers.push({ role: 'output', index, size: sizeOf(node.shape), dtype: node.dtype });
  }

  /** True when the kernel that stores `node` is the last to read `storage`, at the element it writes. */
  private mayOverwrite(node: Node, storage: object): boolean {
    const at = this.order.findIndex(({ emitted }) => stores(emitted.kernel, emitted.memory, node));
    const last = this.lastUse.get(storage);
    if (at < 0 || this.taken.has(storage) || (last !== undefined && last > at)) return false;
    const { kernel, memory } = this.order[at]!.emitted;
    const from = memory.indexOf(storage);
    const free = from < 0 || readsOnlyWhereWritten(kernel, from, memory.indexOf(node));
    if (free) this.taken.add(storage);
    return free;
  }

  private readonly taken = new Set<object>();

  /** Kernels over plan buffers; scratch is taken and given back as the order goes. */
  kernels(): Kernel[] {
    return this.order.map(({ emitted }, i) => {
      emitted.memory.forEach((object) => this.place(object));
      const kernel = bindKernel(
        emitted.kernel,
        emitted.memory.map((object) => this.ids.get(object)!),
      );
      emitted.memory.forEach((object) => this.retire(object, i));
      return kernel;
    });
  }

  private place(object: object): void {
    if (this.ids.has(object)) return;
    const node = object as Node;
    const words = Math.ceil((sizeOf(node.shape) * bytesPerElement(node.dtype)) / 4);
    this.ids.set(object, this.takeScratch(words));
  }

  private takeScratch(words: number): number {
    const fits = this.free.filter((id) => {
      const { size } = this.buffers[id]!;
      return size >= words && size <= words * SLACK;
    });
    fits.sort((a, b) => this.buffers[a]!.size - this.buffers[b]!.size);
    if (fits[0] === undefined)
      return this.buffers.push({ role: 'scratch', index: -1, size: words, dtype: 'u32' }) - 1;
    this.free.splice(this.free.indexOf(fits[0]), 1);
    return fits[0];
  }

  private retire(object: object, now: number): void {
    const id = this.ids.get(object)!;
    if (this.buffers[id]!.role === 'scratch' && this.lastUse.get(object) === now)
      this.free.push(id);
  }

  outputs(): number[] {
    return this.graph.outputs.map(({ node }) => this.ids.get(node)!);
  }
}

function stores(kernel: Kernel, memory: readonly object[], node: Node): boolean {
  const buffer = memory.indexOf(node);
  return buffer >= 0 && kernel.buffers[buffer]!.access !== 'read';
}

/** Row kernels read a row in several passes, scatters and sorts read all: they never write in place. */
function readsOnlyWhereWritten(kernel: Kernel, from: number, to: number): boolean {
  if (kernel.kind === 'row' || kernel.kind === 'scatter' || kernel.kind === 'sort') return false;
  if (kernel.kind === 'matmul' && [kernel.a.from, kernel.b.from].includes(from)) return false;
  const store = kernel.stores.find((s) => s.to === to);
  return kernel.values.every((value) => {
    if (value.kind === 'gather') return value.from !== from;
    return value.kind !== 'load' || value.from !== from || sameAffine(value.at, store?.at);
  });
}

function sameAffine(a: Affine, b: Affine | undefined): boolean {
  return b !== undefined && a.offset === b.offset && a.strides.every((s, i) => s === b.strides[i]);
}

/** Rewrites a kernel to plan ids; buffers that share memory become one that is read and written. */
function bindKernel(kernel: Kernel, ids: readonly number[]): Kernel {
  const distinct = [...new Set(ids)];
  const place = (local: number): number => distinct.indexOf(ids[local]!);
  const buffers = distinct.map((id): KernelBuffer => {
    const uses = kernel.buffers.filter((_, i) => ids[i] === id);
    const access = uses.every((use) => use.access === uses[0]!.access)
      ? uses[0]!.access
      : 'read_write';
    return { id, dtype: uses[0]!.dtype, access };
  });
  const values = kernel.values.map((v): Value =>
    v.kind === 'load' || v.kind === 'gather' ? { ...v, from: place(v.from) } : v,
  );
  const stored = kernel.stores.map((s): Store => ({ ...s, to: place(s.to) }));
  const rest = { buffers, values, stores: stored };
  if (kernel.kind !== 'matmul') return { ...kernel, ...rest };
  const a = { ...kernel.a, from: place(kernel.a.from) };
  const b = { ...kernel.b, from: place(kernel.b.from) };
  return { ...kernel, ...rest, a, b };
}

/** Bytes of a plan's scratch. */
function scratchBytes(buffers: readonly PlanBuffer[]): number {
  return buffers.reduce((sum, b) => sum + (b.role === 'scratch' ? b.size * 4 : 0), 0);
}

/** Assigns memory to the ordered kernels. */
export function planMemory(graph: Graph, order: readonly Group[]): Plan {
  const planner = new Planner(graph, order);
  const kernels = planner.kernels();
  const { buffers } = planner;
  return {
    graph,
    kernels,
    buffers,
    outputs: planner.outputs(),
    scratchBytes: scratchBytes(buffers),
  };
}

/** A plan without kernels, for a back end that interprets the graph itself. */
export function interpretPlan(graph: Graph): Plan {
  const inputs = graph.inputs.map(({ size, dtype }, index): PlanBuffer => ({
    role: 'input',
    index,
    size,
    dtype,
  }));
  const outputs = graph.outputs.map(({ node }, index): PlanBuffer => ({
    role: 'output',
    index,
    size: sizeOf(node.shape),
    dtype: node.dtype,
  }));
  const ids = outputs.map((_, i) => inputs.length + i);
  return { graph, kernels: [], buffers: [...inputs, ...outputs], outputs: ids, scratchBytes: 0 };
}
