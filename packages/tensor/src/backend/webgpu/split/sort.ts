/** @file Sorting over buffers larger than one binding: ranges of whole rows. */
import type { SortKernel } from '../../../schedule/kernel.ts';
import type { Window } from './reach.ts';
import { refusal, rowsOfWindow, type Piece, type Splitting } from './piece.ts';

/** The dispatches of a sort kernel. */
export function sortPieces(kernel: SortKernel, splitting: Splitting): Piece[] {
  const { rows, length } = kernel;
  const most = rowsOfWindow(length, rows, splitting);
  if (most === 0)
    throw refusal(kernel, splitting, `rows of ${length} elements are too long for that`);
  const pieces: Piece[] = [];
  for (let row = 0; row < rows; row += most) {
    const count = Math.min(most, rows - row);
    const bytes = Math.max(16, Math.ceil((count * length) / 4) * 16);
    const window: Window = { offset: row * length * 4, bytes };
    const part = { ...kernel, rows: count, loop: [count, length] };
    pieces.push({ kernel: part, windows: [window, window], clears: true });
  }
  return pieces;
}
