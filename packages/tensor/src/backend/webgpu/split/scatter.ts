/**
 * @file Scatter-add over buffers larger than one binding: ranges of rows, each over ranges of updates, in order,
 * so that every sum still runs in the order of n. Indices are moved for each range of rows.
 */
import { bytesPerElement } from '../../../dtype.ts';
import type { KernelBuffer, MapKernel, ScatterKernel } from '../../../schedule/kernel.ts';
import type { Window } from './reach.ts';
import { refusal, type Piece, type Splitting } from './piece.ts';

/** Splits the kernel that moves the indices. */
type Split = (kernel: MapKernel, splitting: Splitting) => Piece[];

/** The dispatches of a scatter kernel. */
export function scatterPieces(kernel: ScatterKernel, splitting: Splitting, split: Split): Piece[] {
  const { rows, width, count } = kernel;
  const { limits } = splitting;
  const rowStep = chunkOf(width * 4, rows, splitting);
  const updateStep = Math.min(chunkOf(width * 4, count, splitting), chunkOf(4, count, splitting));
  if (rowStep === 0 || updateStep === 0)
    throw refusal(kernel, splitting, `a few rows are more than ${limits.bytes} bytes`);
  const pieces: Piece[] = [];
  for (let row = 0; row < rows; row += rowStep) {
    const moved = row === 0 ? undefined : movedIndices(kernel, row, splitting);
    if (moved) pieces.push(...split(moved.map, splitting));
    const size = Math.min(rowStep, rows - row);
    for (let n = 0; n < Math.max(1, count); n += updateStep)
      pieces.push(
        part(kernel, { row, size, n, count: Math.min(updateStep, count - n) }, moved?.moved),
      );
  }
  return pieces;
}

/** How many of `total` items of `bytes` go into one window, so that every window begins where bindings may. */
function chunkOf(bytes: number, total: number, { limits }: Splitting): number {
  if (bytes * total <= limits.bytes) return Math.max(1, total);
  let unit = 1;
  while ((bytes * unit) % limits.step !== 0) unit *= 2;
  return Math.floor(limits.bytes / (bytes * unit)) * unit;
}

/** A buffer of the indices with `row` subtracted, and the kernel that fills it. */
function movedIndices(
  kernel: ScatterKernel,
  row: number,
  splitting: Splitting,
): { moved: KernelBuffer; map: MapKernel } {
  const moved = splitting.scratch(kernel.count, 'i32');
  const at = { offset: 0, strides: [1] };
  const map: MapKernel = {
    kind: 'map',
    label: kernel.label,
    loop: [kernel.count],
    buffers: [kernel.buffers[0]!, { ...moved, access: 'write' }],
    values: [
      { kind: 'load', dtype: 'i32', from: 0, at },
      { kind: 'constant', dtype: 'i32', value: row },
      { kind: 'op', op: 'sub', dtype: 'i32', args: [0, 1] },
    ],
    stores: [{ to: 1, at, value: 2 }],
  };
  return { moved, map };
}

interface Range {
  readonly row: number;
  readonly size: number;
  readonly n: number;
  readonly count: number;
}

function part(
  kernel: ScatterKernel,
  { row, size, n, count }: Range,
  moved: KernelBuffer | undefined,
): Piece {
  const [index, updates, out] = kernel.buffers as readonly [
    KernelBuffer,
    KernelBuffer,
    KernelBuffer,
  ];
  const window = (first: number, elements: number, { dtype }: KernelBuffer): Window => {
    const width = bytesPerElement(dtype);
    return { offset: first * width, bytes: Math.max(16, Math.ceil((elements * width) / 16) * 16) };
  };
  const { width } = kernel;
  return {
    kernel: {
      ...kernel,
      loop: [size, width],
      rows: size,
      count,
      buffers: [moved ? { ...moved, access: 'read' } : index, updates, out],
    },
    windows: [
      window(n, count, index),
      window(n * width, count * width, updates),
      window(row * width, size * width, out),
    ],
    clears: row === 0 && n === 0,
  };
}
