/**
 * @file What one dispatch computes, as plain data. A Kernel has loops, a list of scalar values in SSA
 * order (each sees only earlier ones) and stores. There is no back end in it: WGSL and WebAssembly
 * are both generated from this, and nothing else crosses the border.
 *
 * Addresses are affine in the loop indices. Loop axes are outermost first; the last is the fastest.
 */
import type { ScalarType } from '../dtype.ts';
import type { ReduceName } from '../ops/reduction.ts';
import type { DType } from '../dtype.ts';
import type { Keep } from '../graph/node.ts';
import type { ElementwiseName } from '../ops/elementwise.ts';

/** `offset + Σ strides[i] · index[i]` over the kernel's loop axes, in elements. */
export interface Affine {
  readonly offset: number;
  readonly strides: readonly number[];
}

/** Position of a value in `Kernel.values`. */
export type ValueId = number;

/** One scalar computation; pure. */
export type Value =
  /** A literal of the program's text (from op definitions, never a user's number). May be ±Infinity. */
  | { readonly kind: 'constant'; readonly dtype: ScalarType; readonly value: number }
  /** A host number: 32-bit word `slot` of the program's scalar buffer, bit-cast to `dtype`. */
  | { readonly kind: 'scalar'; readonly dtype: ScalarType; readonly slot: number }
  /**
   * The affine expression itself, as i32: iota and coordinates. With `divisor` (> 1) its quotient, towards
   * zero.
   */
  | {
      readonly kind: 'index';
      readonly dtype: 'i32';
      readonly at: Affine;
      readonly divisor?: number;
    }
  /**
   * Element `at` of `buffers[from]`, converted from its storage type. With `guard` (a bool value) the
   * address is only valid where the guard holds; elsewhere nothing may be read and any value will do.
   */
  | {
      readonly kind: 'load';
      readonly dtype: ScalarType;
      readonly from: number;
      readonly at: Affine;
      readonly guard?: ValueId;
    }
  /**
   * Element `at + clamp(index, 0, rows - 1) · stride` of `buffers[from]`: a row look-up.
   * `guard` as for load.
   */
  | {
      readonly kind: 'gather';
      readonly dtype: ScalarType;
      readonly from: number;
      readonly at: Affine;
      readonly index: ValueId;
      readonly stride: number;
      readonly rows: number;
      readonly guard?: ValueId;
    }
  /**
   * The first output word of Philox4x32-10 with counter (`counter` as u32, 0, 0, 0) and the two u32 key words; as f32,
   * uniform in [0, 1), its upper 24 bits times 2⁻²⁴.
   */
  | {
      readonly kind: 'random';
      readonly dtype: 'f32' | 'u32';
      readonly counter: Affine;
      readonly key: readonly [ValueId, ValueId];
    }
  /** Row kernels: the finished accumulator `slot` of an earlier `stage`. */
  | {
      readonly kind: 'accumulator';
      readonly dtype: ScalarType;
      readonly stage: number;
      readonly slot: number;
    }
  /** Matmul kernels: Σ_k a[m, k]·b[k, n] of this element. */
  | { readonly kind: 'product'; readonly dtype: 'f32' }
  /** An elementwise op of the table; `dtype` is the result's, operands are typed by their own values. */
  | {
      readonly kind: 'op';
      readonly op: ElementwiseName;
      readonly dtype: ScalarType;
      readonly args: readonly ValueId[];
    };

/** A value written to element `at` of `buffers[to]`, converted to its storage type. */
export interface Store {
  readonly to: number;
  readonly at: Affine;
  readonly value: ValueId;
}

/** A buffer that the kernel touches. `id` is an index into `Plan.buffers`; ids are distinct in a kernel. */
export interface KernelBuffer {
  readonly id: number;
  readonly dtype: DType;
  readonly access: 'read' | 'write' | 'read_write';
}

interface KernelBase {
  /** For people: the ops inside, as in `matmul+add+gelu`. */
  readonly label: string;
  readonly buffers: readonly KernelBuffer[];
  readonly values: readonly Value[];
  readonly stores: readonly Store[];
  /** Sizes of the loop axes; at least one axis; every size ≥ 1. */
  readonly loop: readonly number[];
}

/**
 * For every point of `loop`: evaluate, store. A `read_write` buffer is only ever read at the very
 * element that the same point writes, so points are independent.
 */
export interface MapKernel extends KernelBase {
  readonly kind: 'map';
}

/** A set of reductions over the row axes that one pass over the row computes. */
export interface Stage {
  readonly accumulators: readonly {
    readonly reduce: ReduceName;
    readonly dtype: ScalarType;
    readonly value: ValueId;
  }[];
}

/**
 * The last `rowAxes` axes of `loop` are the row; the others are independent rows. Stages run in
 * order; values of a later stage may use accumulators of earlier ones. Stores come after all stages:
 * a store with a non-zero stride on a row axis runs once an element, any other once a row (its value
 * then depends on outer axes and accumulators only).
 */
export interface RowKernel extends KernelBase {
  readonly kind: 'row';
  readonly rowAxes: number;
  readonly stages: readonly Stage[];
}

/** One operand of a matmul: strides in elements. Storage may be 16-bit. */
export interface Operand {
  readonly from: number;
  readonly offset: number;
  /** One stride for each batch axis (0 broadcasts). */
  readonly batch: readonly number[];
  /** a: stride of m. b: stride of k. */
  readonly row: number;
  /** a: stride of k. b: stride of n. */
  readonly column: number;
}

/**
 * `loop` is `[...batch, M, N]`; for each of its points the sum over K = `inner`, then the values as an
 * epilogue over `loop`. Accumulates in f32. K may be 0: the product is then 0. The epilogue may write a
 * `read_write` buffer in place, as map kernels do; it is then no operand.
 */
export interface MatmulKernel extends KernelBase {
  readonly kind: 'matmul';
  readonly inner: number;
  readonly a: Operand;
  readonly b: Operand;
}

/**
 * `out[v, c] = Σ over n with index[n] = v of updates[n, c]`, or the last of these; zero where nothing points. Indices
 * outside [0, rows) are ignored; updates are taken in the order of n (no atomics: same bits every run). All
 * contiguous. `values` and `stores` are empty; `loop` is `[rows, width]`. Buffers: 0 index (i32), 1 updates
 * and 2 out (both f32, i32 or u32).
 */
export interface ScatterKernel extends KernelBase {
  readonly kind: 'scatter';
  readonly keep: Keep;
  readonly rows: number;
  readonly width: number;
  readonly count: number;
}

/**
 * `out[r, k]` = the index in row r of the k-th of its elements in order: stable, −0 equal to 0, NaN larger than all;
 * `descending` turns the order of unequal elements around. All contiguous. `values` and `stores` are empty; `loop` is
 * `[rows, length]`. Buffers: 0 keys (f32, i32 or u32), 1 out (i32).
 */
export interface SortKernel extends KernelBase {
  readonly kind: 'sort';
  readonly rows: number;
  readonly length: number;
  readonly descending: boolean;
}

/** What one dispatch computes. */
export type Kernel = MapKernel | RowKernel | MatmulKernel | ScatterKernel | SortKernel;

/** How often a value changes: never, with the outer axes (or accumulators), or with every element. */
export type Level = 'uniform' | 'row' | 'element';

/** The values that `value` reads. */
export function operandsOf(value: Value): readonly ValueId[] {
  if (value.kind === 'op') return value.args;
  if (value.kind === 'random') return value.key;
  if (value.kind === 'load') return value.guard === undefined ? [] : [value.guard];
  if (value.kind === 'gather')
    return value.guard === undefined ? [value.index] : [value.index, value.guard];
  return [];
}

/** Ids of all values that `roots` need, themselves included, ascending (so: a legal order of evaluation). */
export function closure(values: readonly Value[], roots: readonly ValueId[]): ValueId[] {
  const seen = new Set<ValueId>();
  const visit = (id: ValueId): void => {
    if (seen.has(id)) return;
    seen.add(id);
    operandsOf(values[id]!).forEach(visit);
  };
  roots.forEach(visit);
  return [...seen].sort((a, b) => a - b);
}

/** The level of each value of a kernel, where the last `rowAxes` loop axes vary by element (map, matmul: all). */
export function levels(kernel: Kernel): Level[] {
  const outer = kernel.loop.length - (kernel.kind === 'row' ? kernel.rowAxes : kernel.loop.length);
  const result: Level[] = [];
  for (const value of kernel.values) {
    const own = ownLevel(value, outer);
    const all = [own, ...operandsOf(value).map((id) => result[id]!)];
    result.push(all.includes('element') ? 'element' : all.includes('row') ? 'row' : 'uniform');
  }
  return result;
}

function ownLevel(value: Value, outer: number): Level {
  if (value.kind === 'accumulator') return 'row';
  if (value.kind === 'product') return 'element';
  const at = value.kind === 'random' ? value.counter : 'at' in value ? value.at : undefined;
  if (!at) return 'uniform';
  if (at.strides.some((stride, axis) => axis >= outer && stride !== 0)) return 'element';
  return at.strides.some((stride) => stride !== 0) ? 'row' : 'uniform';
}
