/**
 * @file The inner product of a matmul: a tile of `rows` × 8 of C += A·B with A's rows in place and B packed
 * in panels of 8 columns. V8's instruction scheduler moves all loads of a basic block to its top, so a
 * naively unrolled step spills its accumulators; an early exit after each step of k, and an always-true
 * test between groups of rows, end the blocks where the registers need it.
 */
import { Code, f32x4, i32, load, op, plus, store, type Local } from './assembler.ts';
import type { ModuleFunction, Signature } from './encode.ts';
import { multiplyAdd } from './polynomial.ts';

/** Columns of a tile. */
export const TILE_COLUMNS = 8;

/** The shape of the tile and of its loop. */
export interface TileShape {
  /** Rows of a full tile. */
  readonly rows: number;
  /** Rows between forced ends of a basic block; 0 for none. */
  readonly segment: number;
  /** Steps of k in one turn of the loop. */
  readonly unroll: number;
}

/**
 * Within 5 % of the best of 36 shapes on AMD Zen and Intel cores (V8 11.3), and none of the shapes whose
 * spills cost half the speed on one of them.
 */
export function tileShape(relaxed: boolean): TileShape {
  return relaxed ? { rows: 5, segment: 1, unroll: 4 } : { rows: 4, segment: 0, unroll: 4 };
}

/**
 * `(a, aRow, b, c, cRow, k, more)`: addresses, bytes between rows, k ≥ 1, and whether C already holds
 * a part of the sum.
 */
export const TILE_SIGNATURE: Signature = {
  parameters: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
  results: [],
};

interface Tile {
  readonly code: Code;
  readonly relaxed: boolean;
  readonly shape: TileShape;
  readonly a: readonly Local[];
  readonly b: Local;
  readonly k: Local;
  readonly sums: readonly (readonly [Local, Local])[];
}

function step(tile: Tile, u: number): void {
  const { code, shape, a, b, sums } = tile;
  const panel = [0, 16].map((offset) => code.let('v128', load('v128.load', b, 32 * u + offset)));
  const row = (r: number): void => {
    const splat = code.let('v128', load('v128.load32_splat', a[r]!, 4 * u));
    sums[r]!.forEach((sum, j) => code.set(sum, multiplyAdd(tile, splat, panel[j]!, sum)));
  };
  const size = shape.segment || a.length;
  for (let first = 0; first < a.length; first += size) {
    const rows = (): void => {
      for (let r = first; r < Math.min(first + size, a.length); r++) row(r);
    };
    if (first === 0) rows();
    else code.if(op('i32.gt_s', tile.k, i32(-first)), rows);
  }
}

function readTile(code: Code, c: readonly Local[], sums: Tile['sums'], more: Local): void {
  const all = (value: (r: number, j: number) => Parameters<Code['set']>[1]) => (): void =>
    sums.forEach((pair, r) => pair.forEach((sum, j) => code.set(sum, value(r, j))));
  code.if(
    more,
    all((r, j) => load('v128.load', c[r]!, 16 * j)),
    all(() => f32x4(0)),
  );
}

/** The function for tiles of `rows` rows. */
export function tileFunction(rows: number, shape: TileShape, relaxed: boolean): ModuleFunction {
  const code = new Code(TILE_SIGNATURE.parameters);
  const [a0, aRow, b, c0, cRow, k, more] = code.parameters as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const pointers = (first: Local, stride: Local): Local[] => {
    const list = [first];
    while (list.length < rows) list.push(code.let('i32', op('i32.add', list.at(-1)!, stride)));
    return list;
  };
  const a = pointers(a0, aRow);
  const c = pointers(c0, cRow);
  const sums = a.map(() => [code.local('v128'), code.local('v128')] as const);
  readTile(code, c, sums, more);
  const tile: Tile = { code, relaxed, shape, a, b, k, sums };
  code.block((exit) => {
    code.loop((again) => {
      for (let u = 0; u < shape.unroll; u++) {
        code.scope(() => step(tile, u));
        code.set(k, plus(k, -1));
        if (u < shape.unroll - 1) code.branchIf(exit, op('i32.eqz', k));
      }
      code.set(b, plus(b, 32 * shape.unroll));
      for (const pointer of a) code.set(pointer, plus(pointer, 4 * shape.unroll));
      code.branchIf(again, k);
    });
  });
  sums.forEach((pair, r) =>
    pair.forEach((sum, j) => code.do(store('v128.store', c[r]!, sum, 16 * j))),
  );
  return { signature: TILE_SIGNATURE, body: code.body() };
}
