/**
 * @file Matmul through workgroup memory, for real GPUs: 16 x 16 invocations compute a square tile, each a
 * square of `micro` x `micro` elements, from slabs of 16 steps of k that they load together.
 */
import type { MatmulKernel, Operand } from '../../../schedule/kernel.ts';
import { sizeOf } from '../../../shape.ts';
import { finishFunction, finishTile } from './epilogue.ts';
import { ceilDiv } from './facts.ts';
import { makeWriter, operandBase, sizesOf, type MatmulWriter } from './matmul.ts';
import type { Body } from './shell.ts';
import { block, splitIndex } from './text.ts';
import { loadQuadText, loadText, type View } from './views.ts';

/** Invocations on each side of a workgroup. */
const SIDE = 16;
/** Steps of k in a slab. */
const DEPTH = 16;
const THREADS = SIDE * SIDE;

/** Bytes of workgroup memory that a tile takes. */
export function tiledBytes(micro: number): number {
  return 2 * SIDE * micro * DEPTH * 4;
}

/** Writes a matmul kernel; `micro` is 4 or 8. */
export function tiledBody(kernel: MatmulKernel, micro: 4 | 8): Body {
  const writer = makeWriter(kernel, true);
  const { batch, m, n } = sizesOf(kernel);
  const edge = SIDE * micro;
  const down = ceilDiv(m, edge);
  const across = ceilDiv(n, edge);
  const names = [...writer.frame.axes.slice(0, -2), 'down', 'across'];
  return {
    views: writer.frame.views,
    before: [
      `var<workgroup> slab_a: array<f32, ${DEPTH * edge}>;`,
      `var<workgroup> slab_b: array<vec4<f32>, ${(DEPTH * edge) / 4}>;`,
      ...finishFunction(writer),
    ],
    lines: [
      ...splitIndex('i32(group)', [...batch, down, across], names),
      ...tileLines(writer, micro),
    ],
    workgroup: THREADS,
    groups: sizeOf(batch) * down * across,
  };
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function tileLines(writer: MatmulWriter, micro: number): string[] {
  const { kernel } = writer;
  const edge = SIDE * micro;
  return [
    'let id = i32(local);',
    `let tx = id % ${SIDE};`,
    `let ty = id / ${SIDE};`,
    `let m0 = down * ${edge};`,
    `let n0 = across * ${edge};`,
    `let base_a = ${operandBase(writer, kernel.a)};`,
    `let base_b = ${operandBase(writer, kernel.b)};`,
    ...range(micro).flatMap((i) =>
      range(micro / 4).map((g) => `var acc${i}_${g} = vec4<f32>(0.0);`),
    ),
    ...block(`for (var k0 = 0; k0 < ${kernel.inner}; k0 += ${DEPTH})`, [
      ...fillA(writer, edge),
      ...fillB(writer, edge),
      'workgroupBarrier();',
      ...block(`for (var k = 0; k < ${DEPTH}; k++)`, multiplyLines(micro)),
      'workgroupBarrier();',
    ]),
    ...resultLines(writer, micro),
  ];
}

/** The element of an operand at an address, 0 unless the condition holds. */
function guarded(
  writer: MatmulWriter,
  operand: Operand,
  address: string,
  condition: string,
): string {
  const view: View = writer.frame.views[operand.from]!;
  return `select(0.0, ${loadText(view, `select(0, ${address}, ${condition})`)}, ${condition})`;
}

/** Loads the slab of a as [k][m]; neighbouring invocations read along the contiguous axis. */
function fillA(writer: MatmulWriter, edge: number): string[] {
  const { a, inner } = writer.kernel;
  const { m } = sizesOf(writer.kernel);
  const alongK = a.column === 1;
  return block(`for (var e = id; e < ${DEPTH * edge}; e += ${THREADS})`, [
    alongK ? `let k = e % ${DEPTH};` : `let k = e / ${edge};`,
    alongK ? `let r = e / ${DEPTH};` : `let r = e % ${edge};`,
    `let good = m0 + r < ${m} && k0 + k < ${inner};`,
    `slab_a[k * ${edge} + r] = ${guarded(writer, a, `base_a + (m0 + r) * ${a.row} + (k0 + k) * ${a.column}`, 'good')};`,
  ]);
}

/** Loads the slab of b as [k][n / 4] vectors. */
function fillB(writer: MatmulWriter, edge: number): string[] {
  const { b } = writer.kernel;
  const quads = edge / 4;
  const alongK = b.row === 1;
  return block(`for (var e = id; e < ${DEPTH * quads}; e += ${THREADS})`, [
    alongK ? `let k = k0 + e % ${DEPTH};` : `let k = k0 + e / ${quads};`,
    alongK ? `let q = e / ${DEPTH};` : `let q = e % ${quads};`,
    'let c = n0 + 4 * q;',
    `let at = base_b + k * ${b.row} + c * ${b.column};`,
    `slab_b[(k - k0) * ${quads} + q] = ${quadOfB(writer)};`,
  ]);
}

function quadOfB(writer: MatmulWriter): string {
  const { b, inner } = writer.kernel;
  const { n } = sizesOf(writer.kernel);
  if (writer.b === 'outer') {
    const good = `k < ${inner} && c < ${n}`;
    const quad = loadQuadText(writer.frame.views[b.from]!, `select(0, at, ${good}) >> 2u`);
    return `select(vec4<f32>(0.0), ${quad}, ${good})`;
  }
  const parts = range(4).map((j) =>
    guarded(writer, b, `at + ${j * b.column}`, `(k < ${inner} && c + ${j} < ${n})`),
  );
  return `vec4<f32>(${parts.join(', ')})`;
}

function multiplyLines(micro: number): string[] {
  const edge = SIDE * micro;
  const groups = range(micro / 4);
  const rows = range(micro);
  return [
    ...groups.map((g) => `let y${g} = slab_b[k * ${edge / 4} + tx + ${g * SIDE}];`),
    ...rows.map((i) => `let x${i} = slab_a[k * ${edge} + ty * ${micro} + ${i}];`),
    ...rows.flatMap((i) =>
      groups.map((g) => `acc${i}_${g} = fma(vec4<f32>(x${i}), y${g}, acc${i}_${g});`),
    ),
  ];
}

function resultLines(writer: MatmulWriter, micro: number): string[] {
  return [
    `let m = m0 + ty * ${micro};`,
    'let n = n0 + tx * 4;',
    ...finishTile(writer, { rows: micro, groups: micro / 4, width: 4, step: 4 * SIDE }),
  ];
}
