/**
 * @file The lazy graph: immutable SSA nodes. A node says what to compute; nothing runs until a value
 * is read. Movement ops copy nothing: they only say how indices map.
 */
import type { ReduceName } from '../ops/reduction.ts';
import type { DType, TypedArray } from '../dtype.ts';
import type { ElementwiseName } from '../ops/elementwise.ts';
import { sizeOf, type Shape } from '../shape.ts';

/** Elements `start`, `start+step`, … of one axis; a negative step runs backwards. */
export interface Range {
  readonly start: number;
  readonly length: number;
  readonly step: number;
}

/**
 * Gradients with respect to `args` of a value `y` made from them, given the gradient `dy` of `y`. Where
 * `wanted` is false nobody asks for that gradient: any node of the right shape will do.
 */
export type CustomBackward = (
  args: readonly Node[],
  y: Node,
  dy: Node,
  wanted: readonly boolean[],
) => readonly Node[];

/** What a scatter makes of several updates of one row. */
export type Keep = 'sum' | 'last';

/** Attributes of each op, apart from its inputs. */
export interface AttrsOf {
  /** A leaf with memory of its own: uploaded host data or an earlier result. */
  buffer: { readonly storage: Storage };
  /** The same literal everywhere; part of the program's text. */
  constant: { readonly value: number };
  /** A host number; data, not text. Shape []. */
  scalar: { readonly value: number };
  /** Row-major index of each element, i32. */
  iota: Record<never, never>;
  /**
   * The first word of Philox4x32-10 at counter = row-major index, as u32 or as uniform f32 in [0, 1). Inputs: two u32
   * scalars, the key.
   */
  random: Record<never, never>;
  /** Inputs have the node's shape. */
  elementwise: { readonly name: ElementwiseName };
  /** Reduced axes are removed. */
  reduce: { readonly name: ReduceName; readonly axes: readonly number[] };
  reshape: Record<never, never>;
  /** Axis i of the result is axis `order[i]` of the input. */
  permute: { readonly order: readonly number[] };
  /** Repeats axes of size 1; the rank stays. */
  expand: Record<never, never>;
  /** One range an axis. */
  slice: { readonly ranges: readonly Range[] };
  /** Elements of this value added before and after each axis, and `interior` between any two neighbours. */
  pad: {
    readonly before: readonly number[];
    readonly after: readonly number[];
    readonly interior: readonly number[];
    readonly value: number;
  };
  /**
   * With i and j the indices on `axis` and `along`, K the size of `along`: element (i, j) of the result is
   * element (i + by·j, j) of the input, or (i + by·j − by·(K−1), j) where `by` < 0. `axis` gets |by|·(K−1) shorter.
   */
  shear: { readonly axis: number; readonly along: number; readonly by: number };
  /** [...batch, M, K] · [...batch, K, N], equal batch axes. */
  matmul: Record<never, never>;
  /** Inputs table [V, ...rest] and i32 indices [...n]: rows of the table, [...n, ...rest]. */
  gather: Record<never, never>;
  /**
   * Inputs i32 indices [n], updates [n, C]: by index the sum of the updates or the last of them, [rows, C]; 0
   * where there is none. Indices outside are ignored.
   */
  scatter: { readonly rows: number; readonly keep: Keep };
  /** Indices in each row (the last axis) that sort it, i32: stable, −0 equal to 0, NaN the largest. */
  argsort: { readonly descending: boolean };
  /** The input, with no gradient through it. */
  detach: Record<never, never>;
  /**
   * The input, kept apart from equal computations, and what is computed from it no earlier than `after`
   * (JAX's `optimization_barrier`): recomputation happens when the gradient that needs it has arrived.
   */
  barrier: { readonly after: Node };
  /** Input 0; its gradient goes to inputs 1 … by this rule instead of through what made it. */
  customGradient: { readonly backward: CustomBackward };
}

/** Name of a graph op. */
export type OpName = keyof AttrsOf;

/** What to compute. Immutable but for `cache`. */
export interface NodeOf<K extends OpName> {
  readonly op: K;
  readonly inputs: readonly Node[];
  readonly attrs: AttrsOf[K];
  readonly shape: Shape;
  readonly dtype: DType;
  /** Place in the order of creation; inputs have smaller ones. */
  readonly serial: number;
  /** Memory that already holds this node's value, once it was computed and kept. */
  cache: Storage | undefined;
}

/** Any node. */
export type Node = { [K in OpName]: NodeOf<K> }[OpName];

/**
 * Memory of one tensor: host data not yet uploaded, a device buffer, or both. Owned by the leaf nodes
 * that name it; `release` gives the device memory back.
 */
export interface Storage {
  readonly dtype: DType;
  readonly size: number;
  /** Host elements, until uploaded. */
  host: TypedArray | undefined;
  /** Device memory, set by the engine. */
  device: { readonly buffer: object; readonly release: () => void } | undefined;
  disposed: boolean;
  /** Set where a captured step reads this memory: leads to what has taken its place since. */
  lineage?: Lineage;
}

/** A tensor's memory through all its updates. */
export interface Lineage {
  current: Storage;
}

/** The lineage of a storage, begun now if it has none. */
export function lineageOf(storage: Storage): Lineage {
  return (storage.lineage ??= { current: storage });
}

/** Notes that `next` has taken the place of `old`. */
export function succeed(old: Storage, next: Storage): void {
  if (!old.lineage) return;
  next.lineage = old.lineage;
  next.lineage.current = next;
}

let made = 0;

/** The serial of the next node. */
export function nextSerial(): number {
  return made;
}

/** Makes a node. */
export function makeNode<K extends OpName>(
  op: K,
  inputs: readonly Node[],
  attrs: AttrsOf[K],
  shape: Shape,
  dtype: DType,
): Node {
  return { op, inputs, attrs, shape, dtype, serial: made++, cache: undefined } as NodeOf<K> as Node;
}

/** A leaf over memory. */
export function bufferNode(storage: Storage, shape: Shape): Node {
  return makeNode('buffer', [], { storage }, shape, storage.dtype);
}

/** Storage over host data that is uploaded on first use. */
export function hostStorage(data: TypedArray, dtype: DType): Storage {
  return { dtype, size: data.length, host: data, device: undefined, disposed: false };
}

/** Number of elements of a node. */
export function nodeSize(node: Node): number {
  return sizeOf(node.shape);
}
