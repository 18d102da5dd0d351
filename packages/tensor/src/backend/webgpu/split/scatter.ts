/**
 * @file Scatter-add over buffers larger than one binding: ranges of rows, each over ranges of updates, in order,
 * so that every sum still runs in the order of n. The indices of each are copied, counted from its first row.
 */
import type { KernelBuffer, MapKernel, ScatterKernel } from '../../../schedule/kernel.ts';
import type { Window } from './reach.ts';
import { refusal, rowsOfWindow, type Piece, type Splitting } from './piece.ts';

/** Splits the kernel that moves the indices. */
type Split = (kernel: MapKernel, splitting: Splitting) => Piece[];

/** The updates from `n` on that go to the rows from `row` on. */
interface Range {
  readonly row: number;
  readonly rows: number;
  readonly n: number;
  readonly count: number;
}

/** The dispatches of a scatter kernel. */
export function scatterPieces(kernel: ScatterKernel, splitting: Splitting, split: Split): Piece[] {
  const { rows, width, count } = kernel;
  const most = {
    rows: rowsOfWindow(width, rows, splitting),
    count: rowsOfWindow(width, count, splitting),
  };
  if (most.rows === 0 || most.count === 0)
    throw refusal(kernel, splitting, `rows of ${width} elements are too long for that`);
  const pieces: Piece[] = [];
  for (let row = 0; row < rows; row += most.rows)
    for (let n = 0; n < Math.max(1, count); n += most.count) {
      const range = {
        row,
        rows: Math.min(most.rows, rows - row),
        n,
        count: Math.min(most.count, count - n),
      };
      const { moved, map } = movedIndices(kernel, range, splitting);
      if (count > 0) pieces.push(...split(map, splitting));
      pieces.push(part(kernel, range, moved));
    }
  return pieces;
}

/** A buffer of the indices of a range, counted from its first row, and the kernel that fills it. */
function movedIndices(
  kernel: ScatterKernel,
  { row, n, count }: Range,
  splitting: Splitting,
): { moved: KernelBuffer; map: MapKernel } {
  const moved = splitting.scratch(count, 'i32');
  const map: MapKernel = {
    kind: 'map',
    label: kernel.label,
    loop: [count],
    buffers: [kernel.buffers[0]!, { ...moved, access: 'write' }],
    values: [
      { kind: 'load', dtype: 'i32', from: 0, at: { offset: n, strides: [1] } },
      { kind: 'constant', dtype: 'i32', value: row },
      { kind: 'op', op: 'sub', dtype: 'i32', args: [0, 1] },
    ],
    stores: [{ to: 1, at: { offset: 0, strides: [1] }, value: 2 }],
  };
  return { moved, map };
}

function part(kernel: ScatterKernel, { row, rows, n, count }: Range, moved: KernelBuffer): Piece {
  const { width } = kernel;
  const [, updates, out] = kernel.buffers as readonly [KernelBuffer, KernelBuffer, KernelBuffer];
  const window = (first: number, size: number): Window => ({
    offset: first * width * 4,
    bytes: Math.max(16, Math.ceil((size * width) / 4) * 16),
  });
  return {
    kernel: {
      ...kernel,
      loop: [rows, width],
      rows,
      count,
      buffers: [{ ...moved, access: 'read' }, updates, out],
    },
    windows: [undefined, window(n, count), window(row, rows)],
    clears: row === 0 && n === 0,
  };
}
