/**
 * @file Kernels over buffers larger than one binding may be: split into dispatches, each of which binds windows of
 * its buffers that fit. A kernel is halved along the axis in which its widest buffer reaches furthest; where that
 * axis is summed or searched, the kernel is first taken apart (see stages.ts).
 */
import { bytesPerElement } from '../../../dtype.ts';
import type {
  Kernel,
  KernelBuffer,
  MapKernel,
  MatmulKernel,
  RowKernel,
} from '../../../schedule/kernel.ts';
import { refusal, type Piece, type Splitting } from './piece.ts';
import { bindingEach, partOfLoop, partOfSum, partOfTable, rebased } from './part.ts';
import { furthest, reachesOf, union, windowOf, type Reach, type Window } from './reach.ts';
import { scatterPieces } from './scatter.ts';
import { sortPieces } from './sort.ts';
import { copiesOf, kernelOf, passesOf, productOf, type Task } from './stages.ts';

/** Dispatches above which a plan is refused: it would run, but not in a user's lifetime. */
const MOST_PIECES = 4096;
/** Axes longer than twice this are cut at its multiples, so that parts keep running along vectors and tiles. */
const CUT = 64;

/** The dispatches of a kernel, in order: itself when all it binds fits. Throws DeviceError when it cannot be split. */
export function splitKernel(kernel: Kernel, splitting: Splitting): Piece[] {
  const fits = kernel.buffers.every(({ id }) => splitting.bytesOf(id) <= splitting.limits.bytes);
  if (fits) return [{ kernel, windows: kernel.buffers.map(() => undefined), clears: true }];
  if (kernel.kind === 'scatter') return scatterPieces(kernel, splitting, splitKernel);
  if (kernel.kind === 'sort') return sortPieces(kernel, splitting);
  // Another kind has addresses of its own, as those above.
  const looped: MapKernel | RowKernel | MatmulKernel = kernel;
  const pieces: Piece[] = [];
  const todo: Task[] = [{ kernel: looped, kind: 'plain', from: 0 }];
  for (let task = todo.pop(); task; task = todo.pop()) {
    const parts = partsOf(task, splitting);
    if (parts) todo.push(...parts.reverse());
    else pieces.push(pieceOf(task, splitting));
    if (pieces.length > MOST_PIECES)
      throw refusal(kernel, splitting, `it would take more than ${MOST_PIECES} dispatches`);
  }
  return pieces;
}

/** The window of each buffer that a kernel binds. */
function windowsOf(kernel: Kernel, { bytesOf, limits }: Splitting): Window[] {
  return kernel.buffers.map(({ id, dtype }, i) =>
    windowOf(union(reachesOf(kernel, i, bytesOf(id) / bytesPerElement(dtype))), dtype, limits),
  );
}

function pieceOf(task: Task, splitting: Splitting): Piece {
  const kernel = kernelOf(task);
  if (kernel.buffers.length > splitting.maxBuffers)
    throw refusal(
      kernel,
      splitting,
      `split, it needs ${kernel.buffers.length} storage buffers of the ${splitting.maxBuffers} allowed`,
    );
  const windows = windowsOf(kernel, splitting);
  const starts = windows.map(({ offset }, i) => offset / widthOf(kernel.buffers[i]!));
  return { kernel: rebased(kernel, starts), windows, clears: true };
}

function widthOf({ dtype }: KernelBuffer): number {
  return bytesPerElement(dtype);
}

/** Smaller tasks that do the same; undefined when this one fits. */
function partsOf(task: Task, splitting: Splitting): Task[] | undefined {
  const { kernel } = task;
  const wide = windowsOf(kernel, splitting).findIndex(
    ({ bytes }) => bytes > splitting.limits.bytes,
  );
  if (wide < 0) return undefined;
  const apart = farApart(kernel, wide, splitting) && bindingEach(kernel, wide);
  if (apart && apart.buffers.length <= splitting.maxBuffers) return [{ ...task, kernel: apart }];
  const direction = furthest(kernel, wide);
  if (!direction) throw refusal(kernel, splitting, 'its addresses do not move');
  if (direction.kind === 'loop') return alongLoop(task, direction.axis, splitting);
  if (direction.kind === 'inner') return alongSum(task, splitting);
  return alongTable(task, wide, splitting);
}

/** True when the accesses to a buffer reach little each and lie far from each other. */
function farApart(kernel: Kernel, buffer: number, { bytesOf }: Splitting): boolean {
  const { id, dtype } = kernel.buffers[buffer]!;
  const reaches = reachesOf(kernel, buffer, bytesOf(id) / bytesPerElement(dtype));
  const length = ({ first, last }: Reach): number => Math.max(0, last - first + 1);
  return length(union(reaches)) > 2 * Math.max(...reaches.map(length));
}

function halves(size: number): number {
  const middle = Math.ceil(size / 2);
  return size > 2 * CUT ? Math.ceil(middle / CUT) * CUT : middle;
}

function alongLoop(task: Task, axis: number, { scratch }: Splitting): Task[] {
  const { kernel } = task;
  const summed = kernel.kind === 'row' && axis >= kernel.loop.length - kernel.rowAxes;
  if (summed && task.kind !== 'pass') return passesOf(kernel as RowKernel, scratch);
  const size = kernel.loop[axis]!;
  const middle = halves(size);
  return [
    { ...task, kernel: partOfLoop(kernel, axis, 0, middle) },
    {
      ...task,
      kernel: partOfLoop(kernel, axis, middle, size),
      from: summed ? middle : task.from,
    },
  ];
}

function alongSum(task: Task, splitting: Splitting): Task[] {
  const { kernel } = task;
  if (kernel.kind !== 'matmul') throw refusal(kernel, splitting, 'it is no matmul');
  if (task.kind !== 'sum') return productOf(kernel, splitting.scratch);
  const middle = halves(kernel.inner);
  return [
    { ...task, kernel: partOfSum(kernel, 0, middle) },
    { ...task, kernel: partOfSum(kernel, middle, kernel.inner), from: middle },
  ];
}

function alongTable(task: Task, table: number, { scratch }: Splitting): Task[] {
  const { kernel } = task;
  const id = kernel.stores[0]!.value;
  const value = kernel.values[id]!;
  if (task.kind !== 'copy' || value.kind !== 'gather' || value.from !== table)
    return copiesOf(kernel, table, scratch);
  const middle = halves(value.rows);
  return [
    { ...task, kernel: partOfTable(kernel, id, 0, middle) },
    { ...task, kernel: partOfTable(kernel, id, middle, value.rows), from: task.from + middle },
  ];
}
