/**
 * @file A part of a kernel: the same computation over a range of one of its axes, its addresses moved along.
 */
import type {
  Affine,
  Kernel,
  MatmulKernel,
  Operand,
  Value,
  ValueId,
} from '../../../schedule/kernel.ts';
import { withAffine } from '../wgsl/collapse.ts';

/** The points of a kernel from `from` to `to` (excluded) on a loop axis. */
export function partOfLoop(kernel: Kernel, axis: number, from: number, to: number): Kernel {
  const move = (at: Affine): Affine => ({ ...at, offset: at.offset + from * at.strides[axis]! });
  const part = {
    ...kernel,
    loop: kernel.loop.map((size, i) => (i === axis ? to - from : size)),
    values: kernel.values.map((value) => withAffine(value, move)),
    stores: kernel.stores.map((store) => ({ ...store, at: move(store.at) })),
  };
  return part.kind === 'matmul' ? withOperands(part, axis, from) : part;
}

function withOperands(kernel: MatmulKernel, axis: number, from: number): MatmulKernel {
  const batches = kernel.loop.length - 2;
  const move = (operand: Operand, own: number): Operand => {
    const stride = axis < batches ? operand.batch[axis]! : own;
    return { ...operand, offset: operand.offset + from * stride };
  };
  const a = move(kernel.a, axis === batches ? kernel.a.row : 0);
  const b = move(kernel.b, axis === batches + 1 ? kernel.b.column : 0);
  return { ...kernel, a, b };
}

/** The same product over a range of its sum. */
export function partOfSum(kernel: MatmulKernel, from: number, to: number): MatmulKernel {
  const { a, b } = kernel;
  return {
    ...kernel,
    inner: to - from,
    a: { ...a, offset: a.offset + from * a.column },
    b: { ...b, offset: b.offset + from * b.row },
  };
}

/** The same kernel with look-up `id` over a range of the table's rows; its index stays that of the whole table. */
export function partOfTable(kernel: Kernel, id: ValueId, from: number, to: number): Kernel {
  const values = kernel.values.map((value, i): Value => {
    if (value.kind !== 'gather' || i !== id) return value;
    const at = { ...value.at, offset: value.at.offset + from * value.stride };
    return { ...value, at, rows: to - from };
  });
  return { ...kernel, values };
}

/** The same kernel where buffer i is bound from its element `starts[i]` on. */
export function rebased(kernel: Kernel, starts: readonly number[]): Kernel {
  const move = (at: Affine, buffer: number): Affine => ({
    ...at,
    offset: at.offset - starts[buffer]!,
  });
  const values = kernel.values.map((value) =>
    value.kind === 'load' || value.kind === 'gather'
      ? { ...value, at: move(value.at, value.from) }
      : value,
  );
  const stores = kernel.stores.map((store) => ({ ...store, at: move(store.at, store.to) }));
  if (kernel.kind !== 'matmul') return { ...kernel, values, stores };
  const operand = (o: Operand): Operand => ({ ...o, offset: o.offset - starts[o.from]! });
  return { ...kernel, values, stores, a: operand(kernel.a), b: operand(kernel.b) };
}

/**
 * The same kernel where each load from a buffer binds it anew, so that each may have a window of its own; undefined
 * when the buffer is written, which must be bound once.
 */
export function bindingEach(kernel: Kernel, buffer: number): Kernel | undefined {
  const bound = kernel.buffers[buffer]!;
  if (bound.access !== 'read') return undefined;
  const buffers = [...kernel.buffers];
  let used = false;
  const own = (): number => {
    if (used) return buffers.push(bound) - 1;
    used = true;
    return buffer;
  };
  const values = kernel.values.map((value) =>
    (value.kind === 'load' || value.kind === 'gather') && value.from === buffer
      ? { ...value, from: own() }
      : value,
  );
  if (kernel.kind !== 'matmul') return { ...kernel, buffers, values };
  const operand = (o: Operand): Operand => (o.from === buffer ? { ...o, from: own() } : o);
  return { ...kernel, buffers, values, a: operand(kernel.a), b: operand(kernel.b) };
}
