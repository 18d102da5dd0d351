/**
 * @file Scatter without atomics: an invocation owns some columns (of some residue class of rows), walks
 * the indices in order and takes what is its own, so that the order of n counts on every device.
 * The output is zeroed before the dispatch.
 */
import type { ScatterKernel } from '../../../schedule/kernel.ts';
import { ceilDiv, type AdapterFacts } from './facts.ts';
import type { Body } from './shell.ts';
import { block } from './text.ts';
import { viewsOf } from './views.ts';

/** Invocations that make it worth going on. */
const ENOUGH = { cpu: 64, gpu: 8192 } as const;
/** Most classes the rows are divided into: each class reads all indices. */
const MOST_CLASSES = 32;

/** Writes a scatter kernel. */
export function scatterBody(kernel: ScatterKernel, facts: AdapterFacts): Body {
  const lanes = kernel.width % 4 === 0 ? 4 : 1;
  const columns = kernel.width / lanes;
  const wanted = facts.cpu ? ENOUGH.cpu : ENOUGH.gpu;
  const classes = Math.min(MOST_CLASSES, Math.max(1, ceilDiv(wanted, columns)), kernel.rows);
  const workgroup = facts.cpu ? 16 : 64;
  return {
    views: viewsOf(kernel, new Set(lanes === 4 ? [1, 2] : [])),
    before: [],
    lines: scatterLines(kernel, columns, classes, workgroup),
    workgroup,
    groups: ceilDiv(columns * classes, workgroup),
    clear: 2,
  };
}

function scatterLines(
  kernel: ScatterKernel,
  columns: number,
  classes: number,
  workgroup: number,
): string[] {
  const mine = classes === 1 ? '' : ` && v % ${classes} == part`;
  return [
    `let t = i32(group * ${workgroup}u + local);`,
    `if (t >= ${columns * classes}) { return; }`,
    `let c = t % ${columns};`,
    ...(classes === 1 ? [] : [`let part = t / ${columns};`]),
    ...block(`for (var n = 0; n < ${kernel.count}; n++)`, [
      'let v = b0[n];',
      ...block(`if (v >= 0 && v < ${kernel.rows}${mine})`, [
        `let at = v * ${columns} + c;`,
        `b2[at] = ${kernel.keep === 'sum' ? 'b2[at] + ' : ''}b1[n * ${columns} + c];`,
      ]),
    ]),
  ];
}
