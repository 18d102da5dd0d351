/**
 * @file The module that all matmul kernels share: `gemm` for every shape, and the packers. It is compiled
 * once, so it is in the engine's fastest tier long before a new shape appears.
 *
 * Blocking after Goto & van de Geijn, "Anatomy of high-performance matrix multiplication" (2008): K in
 * blocks of 512 (a B panel of 16 KiB stays in L1), rows in blocks of 120 (A's block stays in L2).
 */
import { Code, i32, op, plus, type Expr, type Local } from './assembler.ts';
import { encodeModule, type ModuleFunction, type ModuleParts, type Signature } from './encode.ts';
import { TILE_COLUMNS, tileFunction, tileShape } from './micro-kernel.ts';
import { LAYOUTS, PACKED_TYPES, packFunction, rowsFunction } from './packing.ts';

/** Elements of K packed at a time. */
export const K_BLOCK = 512;
const M_BLOCK = 120;

/** Functions of the library in the order of their indices as imports. */
export const LIBRARY: readonly string[] = [
  'gemm',
  ...PACKED_TYPES.flatMap((type) => [`rows.${type}.across`, `rows.${type}.any`]),
];

/**
 * `(a, aRow, b, bK, bN, pack, k, m, n, c, cRow, scratch)`: C [m, n] = A·B. Addresses; strides in bytes;
 * `pack` is `packerIndex` of B; k, m, n ≥ 1; C's rows have room for n rounded up to 8; `scratch` for
 * min(k, 512) · (n rounded up to 8) floats.
 */
const GEMM_SIGNATURE: Signature = { parameters: new Array(12).fill('i32'), results: [] };

/** Signatures of the library's functions, by index. */
export const LIBRARY_SIGNATURES: readonly Signature[] = LIBRARY.map((name) =>
  name === 'gemm' ? GEMM_SIGNATURE : { parameters: new Array(6).fill('i32'), results: [] },
);

/** The number `gemm` knows a packer by. */
export function packerIndex(
  type: (typeof PACKED_TYPES)[number],
  layout: (typeof LAYOUTS)[number],
): number {
  return PACKED_TYPES.indexOf(type) * LAYOUTS.length + LAYOUTS.indexOf(layout);
}

/** Indices of the inner functions. */
interface Inner {
  /** By rows − 1. */
  readonly tiles: readonly number[];
  /** By `packerIndex`. */
  readonly packers: readonly number[];
}

function least(code: Code, x: Expr, limit: number): Local {
  const value = code.let('i32', x);
  code.set(value, op('select', value, i32(limit), op('i32.lt_s', value, i32(limit))));
  return value;
}

/** Calls the one of `functions` whose number `which` holds. */
function callOneOf(
  code: Code,
  which: Expr,
  functions: readonly number[],
  args: readonly Expr[],
): void {
  functions.forEach((index, number) =>
    code.if(op('i32.eq', which, i32(number)), () => code.call(index, ...args)),
  );
}

/** Tiles of one panel, from top to bottom: full ones, then one with the rows left. */
function panelTiles(
  code: Code,
  inner: Inner,
  t: Record<'a' | 'aRow' | 'b' | 'c' | 'cRow' | 'k' | 'more' | 'rows', Local>,
): void {
  const full = inner.tiles.length;
  const a = code.let('i32', t.a);
  const c = code.let('i32', t.c);
  const left = code.let('i32', t.rows);
  const args = [a, t.aRow, t.b, c, t.cRow, t.k, t.more];
  code.while(op('i32.ge_s', left, i32(full)), () => {
    code.call(inner.tiles[full - 1]!, ...args);
    code.set(a, op('i32.add', a, op('i32.mul', t.aRow, i32(full))));
    code.set(c, op('i32.add', c, op('i32.mul', t.cRow, i32(full))));
    code.set(left, plus(left, -full));
  });
  callOneOf(code, plus(left, -1), inner.tiles.slice(0, -1), args);
}

function gemmFunction(inner: Inner): ModuleFunction {
  const code = new Code(GEMM_SIGNATURE.parameters);
  const [a, aRow, b, bK, bN, pack, k, m, n, c, cRow, scratch] =
    code.parameters as unknown as Local[];
  const more = code.let('i32', i32(0));
  const kBlock = (): void => {
    const depth = least(code, k!, K_BLOCK);
    callOneOf(code, pack!, inner.packers, [b!, bK!, bN!, depth, n!, scratch!]);
    const top = code.let('i32', a!);
    const out = code.let('i32', c!);
    const left = code.let('i32', m!);
    const panelBytes = code.let('i32', op('i32.mul', depth, i32(4 * TILE_COLUMNS)));
    const mBlock = (): void => {
      const rows = least(code, left, M_BLOCK);
      const panel = code.let('i32', scratch!);
      const tile = code.let('i32', out);
      const columns = code.let('i32', n!);
      code.while(op('i32.gt_s', columns, i32(0)), () => {
        const t = { a: top, aRow: aRow!, b: panel, c: tile, cRow: cRow!, k: depth, more, rows };
        code.scope(() => panelTiles(code, inner, t));
        code.set(panel, op('i32.add', panel, panelBytes));
        code.set(tile, plus(tile, 4 * TILE_COLUMNS));
        code.set(columns, plus(columns, -TILE_COLUMNS));
      });
      code.set(top, op('i32.add', top, op('i32.mul', aRow!, i32(M_BLOCK))));
      code.set(out, op('i32.add', out, op('i32.mul', cRow!, i32(M_BLOCK))));
      code.set(left, plus(left, -M_BLOCK));
    };
    code.while(op('i32.gt_s', left, i32(0)), () => code.scope(mBlock));
    code.set(a!, plus(a!, 4 * K_BLOCK));
    code.set(b!, op('i32.add', b!, op('i32.mul', bK!, i32(K_BLOCK))));
    code.set(k!, plus(k!, -K_BLOCK));
    code.set(more, i32(1));
  };
  code.while(op('i32.gt_s', k!, i32(0)), () => code.scope(kBlock));
  return { signature: GEMM_SIGNATURE, body: code.body() };
}

/** Bytes of the library module. */
export function libraryModule(
  memory: ModuleParts['memory'],
  relaxed: boolean,
): Uint8Array<ArrayBuffer> {
  const shape = tileShape(relaxed);
  const rows = PACKED_TYPES.flatMap((type) => [
    rowsFunction(type, true),
    rowsFunction(type, false),
  ]);
  const tiles = Array.from({ length: shape.rows }, (_, r) => tileFunction(r + 1, shape, relaxed));
  const packers = PACKED_TYPES.flatMap((type) =>
    LAYOUTS.map((layout) => packFunction(type, layout)),
  );
  const firstTile = 1 + rows.length;
  const inner = {
    tiles: tiles.map((_, i) => firstTile + i),
    packers: packers.map((_, i) => firstTile + tiles.length + i),
  };
  const exported = [gemmFunction(inner), ...rows].map((f, i) => ({ ...f, exported: LIBRARY[i]! }));
  return encodeModule({ memory, imports: [], functions: [...exported, ...tiles, ...packers] });
}
