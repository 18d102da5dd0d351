/**
 * @file Kernels taken apart so that each part can be split further: a row kernel into its passes and what follows
 * them, a matmul into its product and its epilogue, a look-up into a copy of the rows that it finds. What is
 * handed from part to part lies in scratch memory. Sums over a split axis go on where the part before stopped.
 */
import type { ScalarType } from '../../../dtype.ts';
import { DeviceError } from '../../../errors.ts';
import type { ElementwiseName } from '../../../ops/elementwise.ts';
import type { ReduceName } from '../../../ops/reduction.ts';
import type {
  Affine,
  Kernel,
  KernelBuffer,
  MatmulKernel,
  RowKernel,
  Stage,
  Store,
  Value,
  ValueId,
} from '../../../schedule/kernel.ts';
import { contiguousStrides, sizeOf } from '../../../shape.ts';
import { Excerpt, type Replace } from './excerpt.ts';

/** A kernel that may be split further. */
export interface Task {
  readonly kernel: Kernel;
  /**
   * `pass`: stores the accumulators of one pass over rows; `sum`: stores the bare product of a matmul; `copy`:
   * stores the rows that a look-up finds. Only these may be split along what they add up or search.
   */
  readonly kind: 'plain' | 'pass' | 'sum' | 'copy';
  /** Part of an axis that a part before began: takes up what is stored already. `copy`: the first row searched. */
  readonly from: number;
}

/** Reserves scratch memory for a plan. */
export type Scratch = (elements: number, dtype: ScalarType) => KernelBuffer;

/** How the reductions of two parts meet. */
const COMBINE: Record<ReduceName, ElementwiseName> = {
  sum: 'add',
  max: 'maximum',
  min: 'minimum',
  prod: 'mul',
  peak: 'maximum',
};

function plain(kernel: Kernel): Task {
  return { kernel, kind: 'plain', from: 0 };
}

/** Row-major over the first axes of a loop, at rest on the others. */
function dense(loop: readonly number[], axes: number, offset = 0): Affine {
  const strides = contiguousStrides(loop.slice(0, axes));
  return { offset, strides: loop.map((_, i) => strides[i] ?? 0) };
}

/** Where the accumulators of a row kernel lie: `[slots, rows]` in a buffer for each type. */
class Accumulators {
  readonly #buffers = new Map<ScalarType, KernelBuffer>();
  readonly #slots: { dtype: ScalarType; index: number }[][];
  readonly #loop: readonly number[];
  readonly #outer: number;
  readonly #rows: number;

  constructor(kernel: RowKernel, scratch: Scratch) {
    this.#loop = kernel.loop;
    this.#outer = kernel.loop.length - kernel.rowAxes;
    this.#rows = sizeOf(kernel.loop.slice(0, this.#outer));
    const counts = new Map<ScalarType, number>();
    this.#slots = kernel.stages.map(({ accumulators }) =>
      accumulators.map(({ dtype }) => {
        const index = counts.get(dtype) ?? 0;
        counts.set(dtype, index + 1);
        return { dtype, index };
      }),
    );
    for (const [dtype, count] of counts)
      this.#buffers.set(dtype, scratch(count * this.#rows, dtype));
  }

  place(stage: number, slot: number): { buffer: KernelBuffer; at: Affine } {
    const { dtype, index } = this.#slots[stage]![slot]!;
    const at = dense(this.#loop, this.#outer, index * this.#rows);
    return { buffer: this.#buffers.get(dtype)!, at };
  }

  /** Loads what earlier passes stored. */
  readonly load: Replace = (value, _id, excerpt) => {
    if (value.kind !== 'accumulator') return undefined;
    const { buffer, at } = this.place(value.stage, value.slot);
    const from = excerpt.bind(buffer, 'read');
    return { kind: 'load', dtype: value.dtype, from, at: excerpt.affine(at) };
  };
}

/** A row kernel as its passes, then maps that store its results. */
export function passesOf(kernel: RowKernel, scratch: Scratch): Task[] {
  const accumulators = new Accumulators(kernel, scratch);
  const passes = kernel.stages.map((stage, i): Task => {
    const pass = passKernel(kernel, stage, i, accumulators);
    return { kernel: pass, kind: 'pass', from: 0 };
  });
  const outer = kernel.loop.length - kernel.rowAxes;
  const moves = ({ at }: Store): boolean => at.strides.some((s, axis) => axis >= outer && s !== 0);
  const elements = kernel.stores.filter(moves);
  const rows = kernel.stores.filter((store) => !moves(store));
  return [
    ...passes,
    ...mapOf(kernel, elements, kernel.loop.length, accumulators.load),
    ...mapOf(kernel, rows, outer, accumulators.load),
  ];
}

function passKernel(
  kernel: RowKernel,
  stage: Stage,
  number: number,
  stored: Accumulators,
): RowKernel {
  const excerpt = new Excerpt(kernel, kernel.loop.length, stored.load);
  const accumulators = stage.accumulators.map((a) => ({ ...a, value: excerpt.take(a.value) }));
  accumulators.forEach(({ dtype }, slot) => {
    const value = excerpt.add({ kind: 'accumulator', dtype, stage: 0, slot });
    const { buffer, at } = stored.place(number, slot);
    excerpt.stores.push({ to: excerpt.bind(buffer, 'write'), at, value });
  });
  const { values, stores, buffers } = excerpt;
  return { ...kernel, values, stores, buffers, stages: [{ accumulators }] };
}

/** A map over the first `axes` of the loop that performs some stores. */
function mapOf(kernel: Kernel, stores: readonly Store[], axes: number, replace: Replace): Task[] {
  if (stores.length === 0) return [];
  const excerpt = new Excerpt(kernel, axes, replace);
  stores.forEach((store) => excerpt.store(store));
  const { values, buffers } = excerpt;
  const { label } = kernel;
  // A loop has at least one axis.
  const loop = axes > 0 ? kernel.loop.slice(0, axes) : [1];
  return [plain({ kind: 'map', label, values, buffers, stores: excerpt.stores, loop })];
}

/** A matmul as its bare product, then a map that is its epilogue. */
export function productOf(kernel: MatmulKernel, scratch: Scratch): Task[] {
  const buffer = scratch(sizeOf(kernel.loop), 'f32');
  const at = dense(kernel.loop, kernel.loop.length);
  const excerpt = new Excerpt(kernel, kernel.loop.length, () => undefined);
  const [a, b] = [kernel.a, kernel.b].map((operand) => ({
    ...operand,
    from: excerpt.bind(kernel.buffers[operand.from]!, 'read'),
  })) as [MatmulKernel['a'], MatmulKernel['b']];
  const value = excerpt.add({ kind: 'product', dtype: 'f32' });
  excerpt.stores.push({ to: excerpt.bind(buffer, 'write'), at, value });
  const { values, stores, buffers } = excerpt;
  const load: Replace = (found, _id, epilogue) =>
    found.kind === 'product'
      ? { kind: 'load', dtype: 'f32', from: epilogue.bind(buffer, 'read'), at }
      : undefined;
  return [
    { kernel: { ...kernel, a, b, values, stores, buffers }, kind: 'sum', from: 0 },
    ...mapOf(kernel, kernel.stores, kernel.loop.length, load),
  ];
}

/** A kernel that looks rows up in buffer `table`: copies of what it finds there, then the kernel over the copies. */
export function copiesOf(kernel: Kernel, table: number, scratch: Scratch): Task[] {
  const at = dense(kernel.loop, kernel.loop.length);
  const copies = new Map<ValueId, KernelBuffer>();
  const load: Replace = (value, id, excerpt) => {
    const buffer = copies.get(id);
    if (buffer) return { kind: 'load', dtype: value.dtype, from: excerpt.bind(buffer, 'read'), at };
    if (value.kind !== 'accumulator' && value.kind !== 'product') return undefined;
    throw new DeviceError('webgpu: rows looked up by an index that the same kernel sums up');
  };
  const tasks = [...kernel.values.entries()].flatMap(([id, value]): Task[] => {
    if (value.kind !== 'gather' || value.from !== table) return [];
    const excerpt = new Excerpt(kernel, kernel.loop.length, load);
    const found = excerpt.take(id);
    const buffer = scratch(sizeOf(kernel.loop), value.dtype);
    excerpt.stores.push({ to: excerpt.bind(buffer, 'write'), at, value: found });
    copies.set(id, buffer);
    const { values, stores, buffers } = excerpt;
    const { label, loop } = kernel;
    return [
      { kernel: { kind: 'map', label, loop, values, stores, buffers }, kind: 'copy', from: 0 },
    ];
  });
  return [
    ...tasks,
    plain(rebuilt(kernel, (...found) => (copies.has(found[1]) ? load(...found) : undefined))),
  ];
}

/** The whole kernel with some values replaced. */
function rebuilt(kernel: Kernel, replace: Replace): Kernel {
  const excerpt = new Excerpt(kernel, kernel.loop.length, replace);
  const { values, stores, buffers } = excerpt;
  if (kernel.kind === 'row') {
    const stages = kernel.stages.map(({ accumulators }) => ({
      accumulators: accumulators.map((a) => ({ ...a, value: excerpt.take(a.value) })),
    }));
    kernel.stores.forEach((store) => excerpt.store(store));
    return { ...kernel, values, stores, buffers, stages };
  }
  kernel.stores.forEach((store) => excerpt.store(store));
  if (kernel.kind !== 'matmul') return { ...kernel, values, stores, buffers };
  const operand = (o: MatmulKernel['a']): MatmulKernel['a'] => ({
    ...o,
    from: excerpt.bind(kernel.buffers[o.from]!, 'read'),
  });
  return { ...kernel, values, stores, buffers, a: operand(kernel.a), b: operand(kernel.b) };
}

/** The kernel that a task stands for: one that goes on takes up what the part before it stored. */
export function kernelOf(task: Task): Kernel {
  const { kernel, kind, from } = task;
  if (from === 0 || kind === 'plain') return kernel;
  return kind === 'copy' ? searchOn(kernel, from) : addOn(kernel, kind);
}

function withStores(kernel: Kernel, values: readonly Value[], stores: readonly Store[]): Kernel {
  const written = new Set(stores.map((store) => store.to));
  const buffers = kernel.buffers.map((buffer, i): KernelBuffer =>
    written.has(i) ? { ...buffer, access: 'read_write' } : buffer,
  );
  return { ...kernel, values, stores, buffers };
}

/** Accumulators or a product, added to those stored. */
function addOn(kernel: Kernel, kind: 'pass' | 'sum'): Kernel {
  const values = [...kernel.values];
  const stores = kernel.stores.map((store): Store => {
    const { dtype } = values[store.value]!;
    const before = values.push({ kind: 'load', dtype, from: store.to, at: store.at }) - 1;
    const op = kind === 'sum' ? 'add' : combination(kernel as RowKernel, store);
    const args = [before, store.value];
    return { ...store, value: values.push({ kind: 'op', op, dtype, args }) - 1 };
  });
  return withStores(kernel, values, stores);
}

function combination(kernel: RowKernel, store: Store): ElementwiseName {
  const value = kernel.values[store.value] as Extract<Value, { kind: 'accumulator' }>;
  return COMBINE[kernel.stages[0]!.accumulators[value.slot]!.reduce];
}

/** Rows from `from` on; a point whose row lies before keeps what it has. */
function searchOn(kernel: Kernel, from: number): Kernel {
  const [store] = kernel.stores as readonly [Store];
  const inside: { id: ValueId } = { id: -1 };
  const shift: Replace = (value, id, excerpt) => {
    if (id !== store.value || value.kind !== 'gather') return undefined;
    const index = excerpt.take(value.index);
    const { dtype } = kernel.values[value.index]! as { dtype: ScalarType };
    const first = excerpt.add({ kind: 'constant', dtype, value: from });
    inside.id = excerpt.add({ kind: 'op', op: 'le', dtype: 'bool', args: [first, index] });
    const shifted = excerpt.add({ kind: 'op', op: 'sub', dtype, args: [index, first] });
    const guard = value.guard === undefined ? {} : { guard: excerpt.take(value.guard) };
    const table = excerpt.bind(kernel.buffers[value.from]!, 'read');
    return { ...value, ...guard, index: shifted, from: table };
  };
  const excerpt = new Excerpt(kernel, kernel.loop.length, shift);
  excerpt.store(store);
  const [copied] = excerpt.stores as [Store];
  const { dtype } = excerpt.values[copied.value]!;
  const before = excerpt.add({ kind: 'load', dtype, from: copied.to, at: copied.at });
  const args = [inside.id, copied.value, before];
  const value = excerpt.add({ kind: 'op', op: 'where', dtype, args });
  const { values, buffers } = excerpt;
  return withStores({ ...kernel, buffers }, values, [{ ...copied, value }]);
}
