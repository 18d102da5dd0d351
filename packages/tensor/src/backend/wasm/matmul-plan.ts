/**
 * @file How a matmul kernel uses the library: which operand gives the rows (read in place where its
 * elements along k are neighbours), which is packed in panels, and how the output is cut into units.
 */
import { computeType, type DType } from '../../dtype.ts';
import type { MatmulKernel, Operand, Store } from '../../schedule/kernel.ts';
import { packedBytes, type Layout, type PackedType } from './packing.ts';

/** An operand as the library sees it. Strides in elements. */
export interface Side {
  readonly from: number;
  readonly type: PackedType;
  readonly offset: number;
  readonly batch: readonly number[];
  /** Along the output axis that this operand gives. */
  readonly outer: number;
  /** Along k. */
  readonly inner: number;
}

/** The facts of a matmul kernel that its code is built from. */
export interface MatmulPlan {
  /** Gives the tile's rows: A, or B where `swapped`. */
  readonly rows: Side;
  /** Is packed into panels: B, or A where `swapped`. */
  readonly columns: Side;
  readonly swapped: boolean;
  readonly layout: Layout;
  /** The rows are first copied to the workspace as consecutive f32. */
  readonly copiesRows: boolean;
  /** Sizes of the rows' own batch axes: 1 where its stride is 0. */
  readonly rowBatch: readonly number[];
  /** Output sizes along the rows and the columns, and of the blocks of one unit. */
  readonly sizes: readonly [number, number];
  readonly blocks: readonly [number, number];
  /** The only store, where the product itself goes straight to its f32 buffer. */
  readonly direct: Store | undefined;
}

/** Rows of the largest unit: two of the library's row blocks. */
const ROW_BLOCK = 240;
/** Columns of the largest unit. */
const COLUMN_BLOCK = 128;
/** Units wanted for several threads to share. */
const WANTED_UNITS = 8;

function side(kernel: MatmulKernel, operand: Operand, outer: number, inner: number): Side {
  const type = kernel.buffers[operand.from]!.dtype as PackedType;
  const { from, offset, batch } = operand;
  return { from, type, offset, batch, outer, inner };
}

function inPlace({ type, inner }: Side): boolean {
  return type === 'f32' && inner === 1;
}

/** Whether B should give the rows: where it can be read in place and A cannot, or where A is thin. */
function swaps(a: Side, b: Side, m: number, n: number): boolean {
  if (inPlace(a) !== inPlace(b)) return inPlace(b);
  if (inPlace(a)) return m <= 32 && m < n;
  return n < m && n <= 32;
}

/** `[rows, columns]` of a unit: large, but enough of them. */
function blocksOf(batches: number, rows: number, columns: number): [number, number] {
  const options = [
    [ROW_BLOCK, COLUMN_BLOCK],
    [ROW_BLOCK, COLUMN_BLOCK / 2],
    [ROW_BLOCK / 2, COLUMN_BLOCK / 2],
    [ROW_BLOCK / 4, COLUMN_BLOCK / 2],
  ] as const;
  const units = ([r, c]: readonly [number, number]): number =>
    batches * Math.ceil(rows / r) * Math.ceil(columns / c);
  const [r, c] = options.find((option) => units(option) >= WANTED_UNITS) ?? options[3];
  return [Math.min(r, rows), Math.min(c, columns)];
}

function directStore(kernel: MatmulKernel, columns: number, axis: number): Store | undefined {
  const [only, ...others] = kernel.stores;
  if (!only || others.length > 0 || kernel.values[only.value]!.kind !== 'product') return undefined;
  const f32 = (kernel.buffers[only.to]!.dtype satisfies DType) === 'f32';
  return f32 && columns % 8 === 0 && only.at.strides[axis] === 1 ? only : undefined;
}

function layoutOf({ inner, outer }: Side): Layout {
  if (outer === 1) return 'n';
  return inner === 1 ? 'k' : 'any';
}

/** Decides. The kernel is normalised. */
export function planMatmul(kernel: MatmulKernel): MatmulPlan {
  const rank = kernel.loop.length;
  const [m, n] = kernel.loop.slice(-2) as [number, number];
  const a = side(kernel, kernel.a, kernel.a.row, kernel.a.column);
  const b = side(kernel, kernel.b, kernel.b.column, kernel.b.row);
  const swapped = swaps(a, b, m, n);
  const [rows, columns] = swapped ? [b, a] : [a, b];
  const sizes: [number, number] = swapped ? [n, m] : [m, n];
  const batch = kernel.loop.slice(0, -2);
  const batches = batch.reduce((product, size) => product * size, 1);
  return {
    rows,
    columns,
    swapped,
    layout: layoutOf(columns),
    copiesRows: !inPlace(rows),
    rowBatch: batch.map((size, axis) => (rows.batch[axis] === 0 ? 1 : size)),
    sizes,
    blocks: blocksOf(batches, ...sizes),
    direct: directStore(kernel, sizes[1], swapped ? rank - 2 : rank - 1),
  };
}

/** Bytes of an operand's element; its storage must be a float. */
export function sideBytes({ type }: Side): number {
  return packedBytes(type);
}

/** True where both operands are stored as floats, the only ones a matmul multiplies. */
export function hasFloatOperands(kernel: MatmulKernel): boolean {
  return [kernel.a, kernel.b].every(
    ({ from }) => computeType(kernel.buffers[from]!.dtype) === 'f32',
  );
}
