/**
 * @file Sorting rows: short ones by insertion, others by four passes of a radix sort over bytes (Knuth, The Art of
 * Computer Programming 3, 5.2.5). Both are stable. A unit is a row.
 */
import type { SortKernel } from '../../schedule/kernel.ts';
import { i32, load, op, plus, store, type Code, type Expr, type Local } from './assembler.ts';
import { kernelFunction, SCRATCH_BYTES, type Frame, type KernelCode } from './kernel-function.ts';
import { repeat } from './packing.ts';

/** Rows up to this long are sorted by insertion. */
const SHORT = 48;
/** Values of a byte. */
const DIGITS = 256;
/** Bytes of a table of counts. */
const TABLE = 4 * DIGITS;

/** A number as u32 in whose order the numbers are sorted: −0 is 0, NaN the largest. */
function orderedKey(c: Code, kernel: SortKernel, word: Expr): Local {
  const { dtype } = kernel.buffers[0]!;
  const key = c.let('i32', word);
  if (dtype === 'f32') {
    const size = c.let('i32', op('i32.and', key, i32(0x7fffffff)));
    c.set(key, op('select', key, i32(0), size));
    const flip = op('i32.or', op('i32.shr_s', key, i32(31)), i32(-(2 ** 31)));
    const nan = op('i32.gt_u', size, i32(0x7f800000));
    c.set(key, op('select', i32(-1), op('i32.xor', key, flip), nan));
  } else if (dtype === 'i32') c.set(key, op('i32.xor', key, i32(-(2 ** 31))));
  if (kernel.descending) c.set(key, op('i32.xor', key, i32(-1)));
  return key;
}

/** Runs `body` for 0 ≤ i < n with i and 4·i. */
function each(c: Code, n: number, body: (i: Local, offset: Local) => void): void {
  const i = c.let('i32', i32(0));
  const offset = c.let('i32', i32(0));
  repeat(c, i32(n), () => {
    body(i, offset);
    c.set(i, plus(i, 1));
    c.set(offset, plus(offset, 4));
  });
}

function add(base: Expr, offset: Expr): Expr {
  return op('i32.add', base, offset);
}

/** Where a row is read, written and worked on. */
interface Row {
  readonly kernel: SortKernel;
  readonly keys: Local;
  readonly out: Local;
  /** Memory of the thread. */
  readonly scratch: Local;
  /** 12 bytes an element. */
  readonly room: Local;
}

/** Each key moves up past the larger ones before it. */
function byInsertion(c: Code, { kernel, keys, out, scratch }: Row): void {
  each(c, kernel.length, (i, offset) => {
    const key = orderedKey(c, kernel, load('i32.load', add(keys, offset)));
    const at = c.let('i32', offset);
    const previous = (base: Local): Expr => load('i32.load', add(base, plus(at, -4)));
    c.block((done) =>
      c.loop((again) => {
        c.branchIf(done, op('i32.eqz', at));
        c.branchIf(done, op('i32.le_u', previous(scratch), key));
        c.do(store('i32.store', add(scratch, at), previous(scratch)));
        c.do(store('i32.store', add(out, at), previous(out)));
        c.set(at, plus(at, -4));
        c.branch(again);
      }),
    );
    c.do(store('i32.store', add(scratch, at), key));
    c.do(store('i32.store', add(out, at), i));
  });
}

/** Address of the count of a key's digit in the table of a pass. */
function slot(tables: Local, key: Local, pass: number): Expr {
  const digit = op('i32.and', op('i32.shr_u', key, i32(8 * pass)), i32(DIGITS - 1));
  return plus(add(tables, op('i32.shl', digit, i32(2))), pass * TABLE);
}

/** Adds to the word at an address and leaves what it was. */
function bump(c: Code, address: Expr, by: Expr): Local {
  const at = c.let('i32', address);
  const before = c.let('i32', load('i32.load', at));
  c.do(store('i32.store', at, op('i32.add', before, by)));
  return before;
}

/** Writes the keys and counts, for each byte, how many have each value. */
function countDigits(c: Code, { kernel, keys, scratch: tables, room }: Row): void {
  each(c, 4 * DIGITS, (_, offset) => c.do(store('i32.store', add(tables, offset), i32(0))));
  each(c, kernel.length, (_, offset) => {
    const key = orderedKey(c, kernel, load('i32.load', add(keys, offset)));
    c.do(store('i32.store', add(room, offset), key));
    for (let pass = 0; pass < 4; pass++) bump(c, slot(tables, key, pass), i32(1));
  });
}

/** Turns counts into the place, in bytes, where the first key of each digit goes. */
function startPlaces(c: Code, tables: Local): void {
  const totals = [0, 1, 2, 3].map(() => c.let('i32', i32(0)));
  each(c, DIGITS, (_, offset) =>
    totals.forEach((total, pass) => {
      const at = c.let('i32', plus(add(tables, offset), pass * TABLE));
      const count = c.let('i32', load('i32.load', at));
      c.do(store('i32.store', at, total));
      c.set(total, op('i32.add', total, op('i32.shl', count, i32(2))));
    }),
  );
}

/** Keys and indices of one pass, before or after. */
interface Side {
  readonly keys: Local;
  readonly indices: Local;
}

function byRadix(c: Code, row: Row): void {
  const { kernel, out, scratch: tables, room } = row;
  countDigits(c, row);
  startPlaces(c, tables);
  const other = c.let('i32', plus(room, 4 * kernel.length));
  const spare = c.let('i32', plus(room, 8 * kernel.length));
  const sides: readonly [Side, Side] = [
    { keys: room, indices: out },
    { keys: other, indices: spare },
  ];
  for (let pass = 0; pass < 4; pass++) {
    const [from, to] = pass % 2 === 0 ? sides : [sides[1], sides[0]];
    each(c, kernel.length, (i, offset) => {
      const key = c.let('i32', load('i32.load', add(from.keys, offset)));
      const index = pass === 0 ? i : load('i32.load', add(from.indices, offset));
      const place = bump(c, slot(tables, key, pass), i32(4));
      if (pass < 3) c.do(store('i32.store', add(to.keys, place), key));
      c.do(store('i32.store', add(to.indices, place), index));
    });
  }
}

/** True when the working memory of a row fits into the thread's. */
function fitsThread({ length }: SortKernel): boolean {
  return 4 * TABLE + 12 * length <= SCRATCH_BYTES;
}

function writeRow(kernel: SortKernel, frame: Frame, unit: Local): void {
  const { e, scratch } = frame;
  const { code } = e;
  const [keys, out] = e.regions.map(({ base }) =>
    code.let('i32', add(base, op('i32.mul', unit, i32(4 * kernel.length)))),
  ) as [Local, Local];
  const room = fitsThread(kernel)
    ? plus(scratch, 4 * TABLE)
    : add(frame.workspace, op('i32.mul', unit, i32(12 * kernel.length)));
  const row = { kernel, keys, out, scratch, room: code.let('i32', room) };
  if (kernel.length <= SHORT) byInsertion(code, row);
  else byRadix(code, row);
}

/** Code of a sort kernel. */
export function sortCode(kernel: SortKernel, relaxed: boolean): KernelCode {
  const body = kernelFunction(kernel, relaxed, (frame) => {
    const { code } = frame.e;
    const unit = code.let('i32', frame.begin);
    code.while(op('i32.lt_u', unit, frame.end), () => {
      code.scope(() => writeRow(kernel, frame, unit));
      code.set(unit, plus(unit, 1));
    });
  });
  const unitCost = kernel.length <= SHORT ? kernel.length ** 2 : 1000 + 12 * kernel.length;
  const workspace = fitsThread(kernel) ? 0 : 12 * kernel.length * kernel.rows;
  return { phases: [{ function: body, units: kernel.rows, unitCost }], workspace };
}
