/**
 * @file Copies of matmul operands in the order that the micro-kernel reads: B in panels of 8 columns,
 * `[panel][k][8]`, and A as rows of consecutive f32. 16-bit elements are widened on the way; missing columns
 * of the last panel become 0.
 */
import { Code, i32, i32x4, laneMemory, load, op, plus, shuffle, store } from './assembler.ts';
import type { Expr, Local } from './assembler.ts';
import type { ModuleFunction, Signature } from './encode.ts';
import { widenBf16, widenF16 } from './half.ts';

/** Storage types of matmul operands. */
export const PACKED_TYPES = ['f32', 'f16', 'bf16'] as const;

/** Storage type of a matmul operand. */
export type PackedType = (typeof PACKED_TYPES)[number];

/** Bytes of one element. */
export function packedBytes(type: PackedType): 2 | 4 {
  return type === 'f32' ? 4 : 2;
}

/** Which neighbours in memory a packer may rely on: along n, along k, or none. */
export const LAYOUTS = ['n', 'k', 'any'] as const;

/** Layout of B for a packer. */
export type Layout = (typeof LAYOUTS)[number];

/** `(b, kStride, nStride, k, n, out)`: strides in bytes; k, n ≥ 1; `out` has k · 8 · ⌈n/8⌉ floats. */
export const PACK_SIGNATURE: Signature = {
  parameters: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
  results: [],
};

function four(code: Code, type: PackedType, address: Expr, offset = 0): Expr {
  if (type === 'f32') return load('v128.load', address, offset);
  const widen = type === 'f16' ? widenF16 : widenBf16;
  const packed = load('v128.load64_zero', address, offset);
  return widen(code, op('i32x4.extend_low_i16x8_u', packed));
}

/** One element in all lanes. */
export function oneElement(code: Code, type: PackedType, address: Expr): Expr {
  if (type === 'f32') return load('v128.load32_splat', address);
  const widen = type === 'f16' ? widenF16 : widenBf16;
  return widen(code, op('i32x4.extend_low_i16x8_u', load('v128.load16_splat', address)));
}

interface Packer {
  readonly code: Code;
  readonly type: PackedType;
  readonly kStride: Local;
  readonly nStride: Local;
  readonly k: Local;
  /** Address of the panel's first element in B. */
  readonly from: Local;
  /** Address of the panel. */
  readonly to: Local;
}

/** Repeats `body` `count` times. */
export function repeat(code: Code, count: Expr, body: () => void): void {
  const left = code.let('i32', count);
  code.while(op('i32.gt_s', left, i32(0)), () => {
    code.scope(body);
    code.set(left, plus(left, -1));
  });
}

/** 8 columns that are neighbours: each k is two vectors. */
function panelAlongN(p: Packer): void {
  const { code } = p;
  const from = code.let('i32', p.from);
  const to = code.let('i32', p.to);
  repeat(code, p.k, () => {
    const low = code.let('v128', four(code, p.type, from));
    const high = code.let('v128', four(code, p.type, from, 4 * packedBytes(p.type)));
    code.do(store('v128.store', to, low));
    code.do(store('v128.store', to, high, 16));
    code.set(from, op('i32.add', from, p.kStride));
    code.set(to, plus(to, 32));
  });
}

/** Transposes four vectors. */
export function transpose4(code: Code, rows: readonly Expr[]): Local[] {
  const r = rows.map((row) => code.let('v128', row));
  const pair = (x: number, y: number, words: readonly [number, number, number, number]): Local =>
    code.let('v128', shuffle(r[x]!, r[y]!, words));
  const low = [pair(0, 1, [0, 4, 1, 5]), pair(2, 3, [0, 4, 1, 5])] as const;
  const high = [pair(0, 1, [2, 6, 3, 7]), pair(2, 3, [2, 6, 3, 7])] as const;
  return [low, high].flatMap(([x, y]) => [
    code.let('v128', shuffle(x, y, [0, 1, 4, 5])),
    code.let('v128', shuffle(x, y, [2, 3, 6, 7])),
  ]);
}

/** Columns whose elements along k are neighbours: 4×4 transposes, then single k. */
function panelAlongK(p: Packer): void {
  const { code } = p;
  const to = code.let('i32', p.to);
  const columns = [p.from];
  while (columns.length < 8)
    columns.push(code.let('i32', op('i32.add', columns.at(-1)!, p.nStride)));
  const offset = code.let('i32', i32(0));
  const bytes = packedBytes(p.type);
  repeat(code, op('i32.shr_u', p.k, i32(2)), () => {
    for (const half of [0, 4]) {
      const rows = [0, 1, 2, 3].map((j) =>
        code.let('v128', four(code, p.type, op('i32.add', columns[half + j]!, offset))),
      );
      transpose4(code, rows).forEach((row, k) =>
        code.do(store('v128.store', to, row, 32 * k + 4 * half)),
      );
    }
    code.set(offset, plus(offset, 4 * bytes));
    code.set(to, plus(to, 128));
  });
  repeat(code, op('i32.and', p.k, i32(3)), () => {
    columns.forEach((column, j) => {
      const value = code.let('v128', oneElement(code, p.type, op('i32.add', column, offset)));
      code.do(laneMemory('v128.store32_lane', 0, to, value, 4 * j));
    });
    code.set(offset, plus(offset, bytes));
    code.set(to, plus(to, 32));
  });
}

/** `columns` ≤ 8 columns with any strides; the others become 0. */
function panelOneByOne(p: Packer, columns: Expr): void {
  const { code } = p;
  const from = code.let('i32', p.from);
  const to = code.let('i32', p.to);
  const count = code.let('i32', columns);
  repeat(code, p.k, () => {
    code.do(store('v128.store', to, i32x4(0)));
    code.do(store('v128.store', to, i32x4(0), 16));
    const source = code.let('i32', from);
    const target = code.let('i32', to);
    repeat(code, count, () => {
      const value = code.let('v128', oneElement(code, p.type, source));
      code.do(laneMemory('v128.store32_lane', 0, target, value));
      code.set(source, op('i32.add', source, p.nStride));
      code.set(target, plus(target, 4));
    });
    code.set(from, op('i32.add', from, p.kStride));
    code.set(to, plus(to, 32));
  });
}

/** Packs B. */
export function packFunction(type: PackedType, layout: Layout): ModuleFunction {
  const code = new Code(PACK_SIGNATURE.parameters);
  const [from, kStride, nStride, k, n, to] = code.parameters as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const packer = { code, type, kStride, nStride, k, from, to };
  const eight = i32(8);
  const panel = (): void => {
    if (layout === 'n') panelAlongN(packer);
    else if (layout === 'k') panelAlongK(packer);
    else panelOneByOne(packer, eight);
  };
  code.while(op('i32.ge_s', n, eight), () => {
    code.scope(panel);
    code.set(from, op('i32.add', from, op('i32.mul', nStride, eight)));
    code.set(to, op('i32.add', to, op('i32.mul', k, i32(32))));
    code.set(n, plus(n, -8));
  });
  code.if(n, () => panelOneByOne(packer, n));
  return { signature: PACK_SIGNATURE, body: code.body() };
}

/** Four rows at once whose elements with equal k are neighbours: 4×4 transposes. */
function rowsAcross(code: Code, p: readonly Local[], type: PackedType): void {
  const [a, , kStride, rows, k, out] = p as [Local, Local, Local, Local, Local, Local];
  const bytes = packedBytes(type);
  const rowBytes = code.let('i32', op('i32.shl', k, i32(2)));
  code.while(op('i32.ge_s', rows, i32(4)), () => {
    code.scope(() => {
      const from = code.let('i32', a);
      const to = code.let('i32', out);
      repeat(code, op('i32.shr_u', k, i32(2)), () => {
        const columns = [0, 1, 2, 3].map(() => {
          const value = code.let('v128', four(code, type, from));
          code.set(from, op('i32.add', from, kStride));
          return value;
        });
        const target = code.let('i32', to);
        for (const row of transpose4(code, columns)) {
          code.do(store('v128.store', target, row));
          code.set(target, op('i32.add', target, rowBytes));
        }
        code.set(to, plus(to, 16));
      });
      repeat(code, op('i32.and', k, i32(3)), () => {
        const value = code.let('v128', four(code, type, from));
        const target = code.let('i32', to);
        for (const r of [0, 1, 2, 3]) {
          code.do(laneMemory('v128.store32_lane', r, target, value));
          code.set(target, op('i32.add', target, rowBytes));
        }
        code.set(from, op('i32.add', from, kStride));
        code.set(to, plus(to, 4));
      });
    });
    code.set(a, plus(a, 4 * bytes));
    code.set(out, op('i32.add', out, op('i32.shl', rowBytes, i32(2))));
    code.set(rows, plus(rows, -4));
  });
}

/**
 * Copies A into rows of consecutive f32: `(a, rowStride, kStride, rows, k, out)`, strides in bytes, `out` of
 * rows · k floats. `across` relies on neighbours along m.
 */
export function rowsFunction(type: PackedType, across: boolean): ModuleFunction {
  const code = new Code(PACK_SIGNATURE.parameters);
  const [a, rowStride, kStride, rows, k, out] = code.parameters as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  if (across) rowsAcross(code, code.parameters, type);
  repeat(code, rows, () => {
    const from = code.let('i32', a);
    repeat(code, k, () => {
      const value = code.let('v128', oneElement(code, type, from));
      code.do(laneMemory('v128.store32_lane', 0, out, value));
      code.set(from, op('i32.add', from, kStride));
      code.set(out, plus(out, 4));
    });
    code.set(a, op('i32.add', a, rowStride));
  });
  return { signature: PACK_SIGNATURE, body: code.body() };
}
