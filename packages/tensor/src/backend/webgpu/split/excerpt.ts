/**
 * @file A kernel made of some values of another one: it takes over what its roots need, with some values replaced
 * (an accumulator by a load of what an earlier dispatch stored), and binds only the buffers that are left.
 */
import {
  type Affine,
  type Kernel,
  type KernelBuffer,
  type Store,
  type Value,
  type ValueId,
} from '../../../schedule/kernel.ts';
import { withAffine } from '../wgsl/collapse.ts';

/** What stands for a value of the source; undefined keeps the value. */
export type Replace = (value: Value, id: ValueId, excerpt: Excerpt) => Value | undefined;

/** Builds the values, stores and buffers of a new kernel. */
export class Excerpt {
  readonly values: Value[] = [];
  readonly stores: Store[] = [];
  readonly buffers: KernelBuffer[] = [];
  readonly #source: Kernel;
  readonly #replace: Replace;
  readonly #axes: number;
  readonly #known = new Map<ValueId, ValueId>();

  /** `axes`: how many of the loop's axes, from the outermost, the new kernel has. */
  constructor(source: Kernel, axes: number, replace: Replace) {
    this.#source = source;
    this.#axes = axes;
    this.#replace = replace;
  }

  /** An address of the source over the axes that are left. */
  affine({ offset, strides }: Affine): Affine {
    return { offset, strides: strides.slice(0, this.#axes) };
  }

  /** Adds a value whose operands are in the excerpt. */
  add(value: Value): ValueId {
    return this.values.push(value) - 1;
  }

  /** Position of a buffer, bound now if it is not yet. */
  bind(buffer: KernelBuffer, access: KernelBuffer['access']): number {
    const at = this.buffers.findIndex(({ id }) => id === buffer.id);
    if (at < 0) return this.buffers.push({ ...buffer, access }) - 1;
    if (this.buffers[at]!.access !== access) this.buffers[at] = { ...buffer, access: 'read_write' };
    return at;
  }

  /** Takes over a value of the source and what it needs. */
  take(id: ValueId): ValueId {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const value = this.#source.values[id]!;
    const added = this.add(this.#replace(value, id, this) ?? this.#copy(value));
    this.#known.set(id, added);
    return added;
  }

  /** Takes over a store of the source. */
  store({ to, at, value }: Store): void {
    const taken = this.take(value);
    const place = this.bind(this.#source.buffers[to]!, 'write');
    this.stores.push({ to: place, at: this.affine(at), value: taken });
  }

  #copy(value: Value): Value {
    const moved = withAffine(value, (at) => this.affine(at));
    if (moved.kind === 'op') return { ...moved, args: moved.args.map((id) => this.take(id)) };
    if (moved.kind === 'random')
      return { ...moved, key: [this.take(moved.key[0]), this.take(moved.key[1])] };
    if (moved.kind !== 'load' && moved.kind !== 'gather') return moved;
    const guard = moved.guard === undefined ? {} : { guard: this.take(moved.guard) };
    const index = moved.kind === 'gather' ? { index: this.take(moved.index) } : {};
    const from = this.bind(this.#source.buffers[moved.from]!, 'read');
    return { ...moved, ...guard, ...index, from } as Value;
  }
}
