/**
 * @file Which part of each buffer a kernel touches, and along which of its axes. A kernel whose part of a buffer is
 * larger than one binding may be has to be split along the axis that reaches furthest.
 */
import { bytesPerElement } from '../../../dtype.ts';
import type { Affine, Kernel, Operand, Value } from '../../../schedule/kernel.ts';

/** Where an access moves besides the loop: over the sum of a matmul, over the rows of a table. */
export interface Extra {
  readonly kind: 'inner' | 'table';
  readonly size: number;
  readonly stride: number;
}

/** One access of a kernel to `kernel.buffers[buffer]`. */
interface Access {
  readonly buffer: number;
  /** Over the loop axes. */
  readonly at: Affine;
  readonly extra?: Extra;
}

/** Elements from `first` to `last`; none when `last` is smaller. */
export interface Reach {
  readonly first: number;
  readonly last: number;
}

const NOTHING: Reach = { first: Infinity, last: -Infinity };

/** What a device lets one binding be. */
export interface BindingLimits {
  /** Most bytes of a binding. */
  readonly bytes: number;
  /** A binding begins at a multiple of this many bytes. */
  readonly step: number;
}

/** Bytes of a buffer from `offset` on. */
export interface Window {
  readonly offset: number;
  readonly bytes: number;
}

/** Bindings end at whole vectors of four words. */
const GRAIN = 16;

function operandAccess(operand: Operand, own: 'row' | 'column', inner: number): Access {
  const strides =
    own === 'row' ? [...operand.batch, operand.row, 0] : [...operand.batch, 0, operand.column];
  const stride = own === 'row' ? operand.column : operand.row;
  return {
    buffer: operand.from,
    at: { offset: operand.offset, strides },
    extra: { kind: 'inner', size: inner, stride },
  };
}

/** Which values read memory. Total: a new kind is to be thought of here, in part.ts and in excerpt.ts. */
const READS: Record<Value['kind'], boolean> = {
  load: true,
  gather: true,
  constant: false,
  scalar: false,
  index: false,
  random: false,
  accumulator: false,
  product: false,
  op: false,
};

/** All accesses of a map, row or matmul kernel; other kinds have addresses of their own. */
function accessesOf(kernel: Kernel): Access[] {
  const result: Access[] = kernel.stores.map(({ to, at }) => ({ buffer: to, at }));
  for (const value of kernel.values) {
    if (!READS[value.kind] || !('from' in value)) continue;
    const { from: buffer, at } = value;
    if (value.kind === 'load') result.push({ buffer, at });
    else
      result.push({ buffer, at, extra: { kind: 'table', size: value.rows, stride: value.stride } });
  }
  if (kernel.kind === 'matmul')
    result.push(
      operandAccess(kernel.a, 'row', kernel.inner),
      operandAccess(kernel.b, 'column', kernel.inner),
    );
  return result;
}

function axesOf({ at, extra }: Access, loop: readonly number[]): (readonly [number, number])[] {
  const axes = at.strides.map((stride, i) => [loop[i]!, stride] as const);
  return extra ? [...axes, [extra.size, extra.stride] as const] : axes;
}

/** Elements that one access touches, of the `size` that there are. */
function reachOfAccess(access: Access, loop: readonly number[], size: number): Reach {
  const axes = axesOf(access, loop);
  if (axes.some(([n]) => n === 0)) return NOTHING;
  const ends = axes.map(([n, stride]) => (n - 1) * stride);
  const first = ends.reduce((sum, end) => sum + Math.min(end, 0), access.at.offset);
  const last = ends.reduce((sum, end) => sum + Math.max(end, 0), access.at.offset);
  // Where a guard is shut an address may lie outside; nothing is read there.
  return last < 0 || first >= size
    ? NOTHING
    : { first: Math.max(first, 0), last: Math.min(last, size - 1) };
}

/** How far each access to `kernel.buffers[buffer]` reaches; `size` is the number of elements that there are. */
export function reachesOf(kernel: Kernel, buffer: number, size: number): Reach[] {
  const accesses = accessesOf(kernel).filter((access) => access.buffer === buffer);
  return accesses.map((access) => reachOfAccess(access, kernel.loop, size));
}

/** All that some accesses reach. */
export function union(reaches: readonly Reach[]): Reach {
  const first = Math.min(...reaches.map((reach) => reach.first));
  return { first, last: Math.max(...reaches.map((reach) => reach.last)) };
}

/** The binding that holds what is reached of a buffer of `dtype`. */
export function windowOf(
  { first, last }: Reach,
  dtype: Parameters<typeof bytesPerElement>[0],
  limits: BindingLimits,
): Window {
  if (last < first) return { offset: 0, bytes: GRAIN };
  const width = bytesPerElement(dtype);
  const offset = Math.floor((first * width) / limits.step) * limits.step;
  return { offset, bytes: Math.ceil(((last + 1) * width) / GRAIN) * GRAIN - offset };
}

/** An axis of the loop, or what an access moves over besides. */
export type Direction =
  { readonly kind: 'loop'; readonly axis: number } | { readonly kind: 'inner' | 'table' };

/** The direction in which the accesses to a buffer reach furthest; undefined when they do not move. */
export function furthest(kernel: Kernel, buffer: number): Direction | undefined {
  let best: Direction | undefined;
  let most = 0;
  const consider = (direction: Direction, size: number, stride: number): void => {
    const span = Math.abs(stride) * (size - 1);
    if (span <= most) return;
    [best, most] = [direction, span];
  };
  for (const { at, extra } of accessesOf(kernel).filter((a) => a.buffer === buffer)) {
    at.strides.forEach((stride, axis) =>
      consider({ kind: 'loop', axis }, kernel.loop[axis]!, stride),
    );
    if (extra) consider({ kind: extra.kind }, extra.size, extra.stride);
  }
  return best;
}
