/**
 * @file What a matmul does with its sums: the epilogue, written once as a function `finish` and applied to the
 * tile of sums that an invocation holds.
 */
import { closure, type MatmulKernel } from '../../../schedule/kernel.ts';
import { block, LETTERS } from './text.ts';
import { emitStore, emitValue, type Frame } from './values.ts';

/** What the epilogue needs of a matmul being written. */
interface Writer {
  readonly kernel: MatmulKernel;
  readonly frame: Frame;
}

/**
 * Sums in the variables `acc<row>_<group>`: numbers or vectors of four neighbours (`width`), those of group g
 * `step` · g columns to the right. The first lies at (`m`, `n`) of the result.
 */
interface Sums {
  readonly rows: number;
  readonly groups: number;
  readonly width: 1 | 4;
  readonly step: number;
}

/** Calls of `finish` that are written one by one; more go into a loop. */
const FEW_CALLS = 2;

/** The function `finish(batch…, m, n, product)`, which evaluates the epilogue of one element, or four. */
export function finishFunction(writer: Writer): string[] {
  const { frame, kernel } = writer;
  const parameters = frame.axes.map((axis) => `${axis}: i32`).join(', ');
  const type = frame.lanes === 4 ? 'vec4<f32>' : 'f32';
  const ids = closure(
    kernel.values,
    kernel.stores.map((store) => store.value),
  );
  return block(`fn finish(${parameters}, product: ${type})`, [
    ...ids.flatMap((id) => emitValue(frame, id)),
    ...kernel.stores.flatMap((store) => emitStore(frame, store)),
  ]);
}

/**
 * Calls of `finish` for `width` neighbours from (m, n) whose products are `product` (a vector when
 * `width` is 4), each only where it lies inside the result.
 */
function finishCalls(
  writer: Writer,
  at: { readonly m: string; readonly n: string; readonly width: 1 | 4 },
  product: string,
): string[] {
  const { frame, kernel } = writer;
  const [m, n] = kernel.loop.slice(-2);
  const batch = frame.axes.slice(0, -2);
  const call = (column: string, text: string): string =>
    `finish(${[...batch, at.m, column, text].join(', ')});`;
  if (frame.lanes === 4 && at.width === 4)
    return [`if (${at.m} < ${m} && ${at.n} < ${n}) { ${call(at.n, product)} }`];
  const lanes = at.width === 1 ? [product] : LETTERS.map((letter) => `${product}.${letter}`);
  return lanes.map(
    (text, j) => `if (${at.m} < ${m} && ${at.n} + ${j} < ${n}) { ${call(`${at.n} + ${j}`, text)} }`,
  );
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/**
 * Statements that finish all sums. Compilers write every call out in full, and sixteen copies of an epilogue with
 * random numbers take a software adapter seconds to compile: hence the loop.
 */
export function finishTile(writer: Writer, sums: Sums): string[] {
  const { rows, groups, width, step } = sums;
  const calls = rows * groups;
  const all = range(rows).flatMap((i) => range(groups).map((g) => ({ i, g, acc: `acc${i}_${g}` })));
  if (calls <= FEW_CALLS)
    return all.flatMap(({ i, g, acc }) =>
      finishCalls(writer, { m: `m + ${i}`, n: `n + ${g * step}`, width }, acc),
    );
  const type = width === 4 ? 'vec4<f32>' : 'f32';
  return [
    `var sums = array<${type}, ${calls}>(${all.map(({ acc }) => acc).join(', ')});`,
    ...block(`for (var s = 0; s < ${calls}; s++)`, [
      `let sm = m + s / ${groups};`,
      `let sn = n + s % ${groups} * ${step};`,
      'let sum = sums[s];',
      ...finishCalls(writer, { m: 'sm', n: 'sn', width }, 'sum'),
    ]),
  ];
}
