/**
 * @file Matmul without workgroup memory: an invocation computes a tile of the result in registers, four
 * steps of k at a time. Operands are read as vectors along whichever axis is contiguous. The safe default
 * everywhere, and the fastest on software adapters. Sums run in the order of k.
 */
import type { MatmulKernel, Operand } from '../../../schedule/kernel.ts';
import { sizeOf } from '../../../shape.ts';
import { finishFunction, finishTile } from './epilogue.ts';
import { ceilDiv } from './facts.ts';
import type { Body } from './shell.ts';
import { affineText, block, LETTERS, splitIndex } from './text.ts';
import { makeFrame, variesOnLastAxis, type Frame } from './values.ts';
import { loadQuadText, loadText, packedBuffers, type View } from './views.ts';

/** Sizes of a tile; `columns` is 1 or a multiple of 4, `rows` 1, 2 or a multiple of 4. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
}

/** Axis along which an operand is read four at a time: that of k, its own, or none. */
type Along = 'inner' | 'outer' | 'none';

/** A matmul kernel being written. */
export interface MatmulWriter {
  readonly kernel: MatmulKernel;
  readonly frame: Frame;
  readonly a: Along;
  readonly b: Along;
}

/** Sizes `[...batch]`, M, N of a matmul. */
export function sizesOf(kernel: MatmulKernel): { batch: readonly number[]; m: number; n: number } {
  const { loop } = kernel;
  return { batch: loop.slice(0, -2), m: loop.at(-2)!, n: loop.at(-1)! };
}

/** Along which axis an operand may be read by four; `inner` and `outer` are its strides, `size` its extent. */
function along(operand: Operand, inner: number, outer: number, size: number): Along {
  const start = operand.offset % 4 === 0 && operand.batch.every((stride) => stride % 4 === 0);
  if (!start) return 'none';
  if (inner === 1 && outer % 4 === 0) return 'inner';
  return outer === 1 && inner % 4 === 0 && size % 4 === 0 ? 'outer' : 'none';
}

/** Decides how operands are read and how the epilogue runs. `byRows`: a may be read along m. */
export function makeWriter(kernel: MatmulKernel, byRows: boolean): MatmulWriter {
  const { m, n, batch } = sizesOf(kernel);
  const a = along(kernel.a, kernel.a.column, kernel.a.row, m);
  const wanted = {
    a: a === 'outer' && !byRows ? 'none' : a,
    b: along(kernel.b, kernel.b.row, kernel.b.column, n),
  } as const;
  const packed = packedOf(kernel, wanted);
  const axes = [...batch.map((_, i) => `i${i}`), 'm', 'n'];
  return {
    kernel,
    a: packed.has(kernel.a.from) ? wanted.a : 'none',
    b: packed.has(kernel.b.from) ? wanted.b : 'none',
    frame: makeFrame(kernel, axes, n % 4 === 0 ? 4 : 1, packed),
  };
}

/** Buffers read and written by four: by the epilogue, and operands of which the epilogue asks nothing else. */
function packedOf(
  kernel: MatmulKernel,
  wanted: { readonly a: Along; readonly b: Along },
): Set<number> {
  const operands = [
    [kernel.a.from, wanted.a],
    [kernel.b.from, wanted.b],
  ] as const;
  const refused = new Set(operands.filter(([, how]) => how === 'none').map(([from]) => from));
  const four = kernel.loop.at(-1)! % 4 === 0;
  const packed = four
    ? packedBuffers(kernel, variesOnLastAxis(kernel), refused)
    : new Set<number>();
  const epilogue = touched(kernel);
  for (const [from] of operands) if (!refused.has(from) && !epilogue.has(from)) packed.add(from);
  return packed;
}

/** Buffers that the epilogue touches. */
function touched(kernel: MatmulKernel): Set<number> {
  const loads = kernel.values.flatMap((value) => ('from' in value ? [value.from] : []));
  return new Set([...loads, ...kernel.stores.map((store) => store.to)]);
}

/** The text of an operand's first address: offset and batch axes. */
export function operandBase(writer: MatmulWriter, operand: Operand): string {
  const axes = writer.frame.axes.slice(0, -2);
  return affineText({ offset: operand.offset, strides: operand.batch }, axes);
}

/** Writes a matmul kernel with the given tile. */
export function matmulBody(kernel: MatmulKernel, tile: Tile): Body {
  const writer = makeWriter(kernel, tile.rows % 4 === 0);
  const { batch, m, n } = sizesOf(kernel);
  const down = ceilDiv(m, tile.rows);
  const across = ceilDiv(n, tile.columns);
  const tiles = sizeOf(batch) * down * across;
  const workgroup = tiles >= 1024 ? 64 : 16;
  const names = [...writer.frame.axes.slice(0, -2), 'down', 'across'];
  const lines = [
    `let t = i32(group * ${workgroup}u + local);`,
    `if (t >= ${tiles}) { return; }`,
    ...splitIndex('t', [...batch, down, across], names),
    ...tileLines(writer, tile),
  ];
  const before = finishFunction(writer);
  const groups = ceilDiv(tiles, workgroup);
  return { views: writer.frame.views, before, lines, workgroup, groups };
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function tileLines(writer: MatmulWriter, tile: Tile): string[] {
  const { inner } = writer.kernel;
  const whole = inner - (inner % 4);
  const lines = ['let m = down * ' + `${tile.rows};`, `let n = across * ${tile.columns};`];
  lines.push(...addressLines(writer, tile), ...accumulatorLines(tile));
  if (whole > 0)
    lines.push(...block(`for (var k = 0; k < ${whole}; k += 4)`, stepLines(writer, tile, 4)));
  if (inner > whole)
    lines.push(...block(`for (var k = ${whole}; k < ${inner}; k++)`, stepLines(writer, tile, 1)));
  const groups = ceilDiv(tile.columns, 4);
  const width = tile.columns === 1 ? 1 : 4;
  return [...lines, ...finishTile(writer, { rows: tile.rows, groups, width, step: 4 })];
}

/** Addresses of the rows of a and the columns of b; those past the edge repeat the last, unstored. */
function addressLines(writer: MatmulWriter, tile: Tile): string[] {
  const { a, b } = writer.kernel;
  const { m, n } = sizesOf(writer.kernel);
  const at = (i: number, name: string, step: number, size: number): string =>
    `min(${name} + ${i}, ${Math.max(size - step, 0)})`;
  const rows = range(tile.rows).map((i) => {
    const index =
      writer.a === 'outer' ? `${at(i - (i % 4), 'm', 4, m)} + ${i % 4}` : at(i, 'm', 1, m);
    return `let ra${i} = ${operandBase(writer, a)} + (${index}) * ${a.row};`;
  });
  const columns = range(tile.columns).map((j) => {
    const index =
      writer.b === 'outer' ? `${at(j - (j % 4), 'n', 4, n)} + ${j % 4}` : at(j, 'n', 1, n);
    return `let cb${j} = ${operandBase(writer, b)} + (${index}) * ${b.column};`;
  });
  return [...rows, ...columns];
}

function accumulatorLines(tile: Tile): string[] {
  const type = tile.columns === 1 ? 'f32' : 'vec4<f32>';
  const groups = range(ceilDiv(tile.columns, 4));
  return range(tile.rows).flatMap((i) => groups.map((g) => `var acc${i}_${g} = ${type}(0.0);`));
}

/** Statements that load `count` steps of k and multiply; single steps read element by element. */
function stepLines(writer: MatmulWriter, tile: Tile, count: 1 | 4): string[] {
  const a = count === 4 ? writer.a : 'none';
  const b = count === 4 ? writer.b : 'none';
  const lines = [...loadA(writer, tile, a, count), ...loadB(writer, tile, b, count)];
  const groups = range(ceilDiv(tile.columns, 4));
  for (const k of range(count))
    for (const i of range(tile.rows))
      for (const g of groups) lines.push(multiply(tile, i, g, a, b, k));
  return lines;
}

function view(writer: MatmulWriter, operand: Operand): View {
  return writer.frame.views[operand.from]!;
}

function loadA(writer: MatmulWriter, tile: Tile, how: Along, count: number): string[] {
  const { a } = writer.kernel;
  const from = view(writer, a);
  if (how === 'inner')
    return range(tile.rows).map((i) => `let a${i} = ${loadQuadText(from, `(ra${i} + k) >> 2u`)};`);
  const steps = range(count);
  if (how === 'outer')
    return steps.flatMap((k) =>
      range(tile.rows / 4).map(
        (g) =>
          `let a${k}_${g} = ${loadQuadText(from, `(ra${4 * g} + (k + ${k}) * ${a.column}) >> 2u`)};`,
      ),
    );
  return steps.flatMap((k) =>
    range(tile.rows).map(
      (i) => `let a${i}_${k} = ${loadText(from, `ra${i} + (k + ${k}) * ${a.column}`)};`,
    ),
  );
}

function loadB(writer: MatmulWriter, tile: Tile, how: Along, count: number): string[] {
  const { b } = writer.kernel;
  const from = view(writer, b);
  if (how === 'inner')
    return range(tile.columns).map(
      (j) => `let b_${j} = ${loadQuadText(from, `(cb${j} + k) >> 2u`)};`,
    );
  const steps = range(count);
  if (how === 'outer')
    return steps.flatMap((k) =>
      range(tile.columns / 4).map(
        (g) =>
          `let b_${k}_${g} = ${loadQuadText(from, `(cb${4 * g} + (k + ${k}) * ${b.row}) >> 2u`)};`,
      ),
    );
  return steps.flatMap((k) =>
    range(tile.columns).map(
      (j) => `let b_${j}_${k} = ${loadText(from, `cb${j} + (k + ${k}) * ${b.row}`)};`,
    ),
  );
}

function aText(how: Along, i: number, k: number): string {
  if (how === 'inner') return `a${i}.${LETTERS[k]}`;
  return how === 'outer' ? `a${k}_${i >> 2}.${LETTERS[i & 3]}` : `a${i}_${k}`;
}

function bText(tile: Tile, how: Along, group: number, k: number): string {
  const one = (j: number): string => (how === 'inner' ? `b_${j}.${LETTERS[k]}` : `b_${j}_${k}`);
  if (tile.columns === 1) return one(0);
  if (how === 'outer') return `b_${k}_${group}`;
  return `vec4<f32>(${[0, 1, 2, 3].map((j) => one(4 * group + j)).join(', ')})`;
}

function multiply(tile: Tile, i: number, g: number, a: Along, b: Along, k: number): string {
  const left = aText(a, i, k);
  const spread = tile.columns === 1 ? left : `vec4<f32>(${left})`;
  return `acc${i}_${g} = fma(${spread}, ${bText(tile, b, g, k)}, acc${i}_${g});`;
}
