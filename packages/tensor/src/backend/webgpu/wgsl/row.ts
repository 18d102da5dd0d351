/**
 * @file Row kernels. A workgroup holds X rows by Y invocations a row. With Y = 1 nothing is shared: best
 * for short rows and on software adapters, where a barrier costs tens of nanoseconds an invocation.
 * With Y > 1 each invocation folds every Y-th element and the parts meet in workgroup memory. No
 * subgroups: their size differs between devices.
 */
import type { ScalarType } from '../../../dtype.ts';
import { REDUCTIONS, type ReduceName } from '../../../ops/reduction.ts';
import {
  closure,
  levels,
  operandsOf,
  type RowKernel,
  type Store,
  type ValueId,
} from '../../../schedule/kernel.ts';
import { CamadaError } from '../../../errors.ts';
import { sizeOf } from '../../../shape.ts';
import { collapse } from './collapse.ts';
import { ceilDiv, type AdapterFacts } from './facts.ts';
import type { Body } from './shell.ts';
import { block, literal, splitIndex } from './text.ts';
import { emitStore, emitValue, makeFrame, nameOf, variesOnLastAxis, type Frame } from './values.ts';
import { packedBuffers } from './views.ts';

/** How a workgroup is divided: `rows` by `threads` invocations for each row. */
interface Split {
  readonly rows: number;
  readonly threads: number;
  /** Parts meet in a tree (real GPUs), or every invocation adds them all after a single barrier. */
  readonly tree: boolean;
}

/** How a row is combined. */
interface How {
  readonly reduce: ReduceName;
  readonly dtype: ScalarType;
}

/** A row kernel being written. */
interface RowWriter {
  readonly frame: Frame;
  readonly kernel: RowKernel;
  readonly split: Split;
  /** Whether each value changes within the row. */
  readonly element: readonly boolean[];
  /** For each value, how many stages must have ended before it can be computed. */
  readonly after: readonly number[];
  readonly outer: number;
}

/** Writes a row kernel. */
export function rowBody(original: RowKernel, facts: AdapterFacts): Body {
  const kernel = collapse(original);
  const outer = kernel.loop.length - kernel.rowAxes;
  const rows = sizeOf(kernel.loop.slice(0, outer));
  const writer = makeWriter(kernel, outer, chooseSplit(kernel, rows, facts), facts);
  const { split, frame } = writer;
  const lines = [...rowCoordinates(writer, rows), ...rowLines(writer)];
  return {
    views: frame.views,
    before: split.threads > 1 ? sharedArrays(writer) : [],
    lines,
    workgroup: split.rows * split.threads,
    groups: ceilDiv(rows, split.rows),
  };
}

function makeWriter(
  kernel: RowKernel,
  outer: number,
  split: Split,
  facts: AdapterFacts,
): RowWriter {
  const axes = kernel.loop.map((_, i) => `i${i}`);
  const four = kernel.loop.at(-1)! % 4 === 0;
  const packed = four
    ? packedBuffers(kernel, variesOnLastAxis(kernel), new Set())
    : new Set<number>();
  // On software adapters a turn of a loop costs more than an element, so four go into one in any case.
  const quads = four && (packed.size > 0 || facts.cpu);
  const frame = makeFrame(kernel, axes, quads ? 4 : 1, packed);
  const element = levels(kernel).map((level) => level === 'element');
  return { frame, kernel, split, element, after: readiness(kernel), outer };
}

function readiness(kernel: RowKernel): number[] {
  const result: number[] = [];
  for (const value of kernel.values) {
    const own = value.kind === 'accumulator' ? value.stage + 1 : 0;
    result.push(Math.max(own, ...operandsOf(value).map((id) => result[id]!)));
  }
  return result;
}

/** True when neighbouring rows, not neighbouring elements, lie next to each other in memory. */
function walksColumns(kernel: RowKernel): boolean {
  const outer = kernel.loop.length - kernel.rowAxes;
  if (outer === 0) return false;
  const loads = kernel.values.filter((value) => value.kind === 'load');
  const across = loads.filter(({ at }) => at.strides[outer - 1] === 1 && at.strides.at(-1) !== 1);
  return across.length > 0 && !loads.some(({ at }) => at.strides.at(-1) === 1);
}

function chooseSplit(kernel: RowKernel, rows: number, facts: AdapterFacts): Split {
  const length = sizeOf(kernel.loop.slice(kernel.loop.length - kernel.rowAxes));
  const split = facts.cpu ? cpuSplit(rows, length) : gpuSplit(rows, length, walksColumns(kernel));
  return fitted(split, sharedSlots(kernel), facts);
}

/** Most parts that one invocation hands to the others of its row. */
function sharedSlots(kernel: RowKernel): number {
  return new Set(
    kernel.stages.flatMap(({ accumulators }) =>
      accumulators.map(({ dtype }, slot) => sharedName(dtype, slot)),
    ),
  ).size;
}

/** A split that the device's workgroups and their memory hold: fewer invocations a row, then fewer rows. */
function fitted(split: Split, slots: number, facts: AdapterFacts): Split {
  const size = split.rows * split.threads;
  const bytes = split.threads > 1 ? size * slots * 4 : 0;
  if (size <= facts.maxInvocations && bytes <= facts.workgroupBytes) return split;
  if (split.threads > 1) return fitted({ ...split, threads: split.threads / 2 }, slots, facts);
  return fitted({ ...split, rows: Math.ceil(split.rows / 2) }, slots, facts);
}

function cpuSplit(rows: number, length: number): Split {
  if (rows <= 8 && length >= 512) return { rows: 1, threads: 16, tree: false };
  const group = rows >= 512 ? 64 : rows >= 64 ? 16 : 4;
  return { rows: group, threads: 1, tree: false };
}

function gpuSplit(rows: number, length: number, columns: boolean): Split {
  if (length <= 32) return { rows: 64, threads: 1, tree: true };
  if (columns) return { rows: 16, threads: length >= 64 ? 16 : 8, tree: true };
  if (length <= 256 && rows >= 64) return { rows: 4, threads: 32, tree: true };
  return { rows: 1, threads: length >= 1024 ? 256 : 64, tree: true };
}

/** `rx`: row in the workgroup; `ry`: invocation in the row; `i0`, `i1`, …: the outer coordinates. */
function rowCoordinates(writer: RowWriter, rows: number): string[] {
  const { split, frame, kernel, outer } = writer;
  const names = frame.axes.slice(0, outer);
  const sizes = kernel.loop.slice(0, outer);
  const lines =
    split.threads === 1
      ? ['let rx = i32(local);']
      : [`let rx = i32(local) % ${split.rows};`, `let ry = i32(local) / ${split.rows};`];
  lines.push(`let row = i32(group) * ${split.rows} + rx;`);
  if (split.threads === 1) lines.push(`if (row >= ${rows}) { return; }`);
  // Barriers need every invocation, so rows past the end repeat the last one and do not store.
  else lines.push(`let inside = row < ${rows};`);
  const from = split.threads === 1 ? 'row' : 'safe';
  if (split.threads > 1) lines.push(`let safe = min(row, ${rows - 1});`);
  return outer === 0 ? lines : [...lines, ...splitIndex(from, sizes, names)];
}

function isElementStore(writer: RowWriter, store: Store): boolean {
  const moves = store.at.strides.some((stride, axis) => axis >= writer.outer && stride !== 0);
  return moves || writer.element[store.value]!;
}

function rowLines(writer: RowWriter): string[] {
  const { kernel } = writer;
  const lines = hoisted(writer, 0);
  kernel.stages.forEach((_, stage) => {
    lines.push(...stageLines(writer, stage), ...hoisted(writer, stage + 1));
  });
  const elements = kernel.stores.filter((store) => isElementStore(writer, store));
  const once = kernel.stores.filter((store) => !isElementStore(writer, store));
  if (elements.length > 0) lines.push(...elementStores(writer, elements));
  if (once.length > 0) lines.push(...rowStores(writer, once));
  return lines;
}

/** Values that stay the same along the row and become known when `stages` stages have ended. */
function hoisted(writer: RowWriter, stages: number): string[] {
  const { kernel, element, after, frame } = writer;
  const roots = [
    ...kernel.stages.flatMap((stage) => stage.accumulators.map(({ value }) => value)),
    ...kernel.stores.map((store) => store.value),
  ];
  const ids = closure(kernel.values, roots).filter((id) => !element[id] && after[id] === stages);
  return ids.flatMap((id) => emitValue(frame, id));
}

function elementValues(writer: RowWriter, roots: readonly ValueId[]): string[] {
  const { kernel, element, frame } = writer;
  const ids = closure(kernel.values, roots).filter((id) => element[id]);
  return ids.flatMap((id) => emitValue(frame, id));
}

/** A loop over the elements of the row that fall to this invocation. */
function rowLoop(writer: RowWriter, body: readonly string[]): string[] {
  return writer.split.threads === 1 ? nestedLoops(writer, body) : stridedLoop(writer, body);
}

function nestedLoops(writer: RowWriter, body: readonly string[]): string[] {
  const { kernel, frame, outer } = writer;
  const last = kernel.loop.length - 1;
  let lines = [...body];
  for (let axis = last; axis >= outer; axis--) {
    const step = axis === last ? frame.lanes : 1;
    const name = frame.axes[axis]!;
    const next = step === 1 ? `${name}++` : `${name} += ${step}`;
    lines = block(`for (var ${name} = 0; ${name} < ${kernel.loop[axis]}; ${next})`, lines);
  }
  return lines;
}

function stridedLoop(writer: RowWriter, body: readonly string[]): string[] {
  const { kernel, frame, outer, split } = writer;
  const sizes = kernel.loop.slice(outer);
  const names = frame.axes.slice(outer);
  const points = sizeOf(sizes) / frame.lanes;
  sizes[sizes.length - 1]! /= frame.lanes;
  const lines =
    frame.lanes === 1
      ? splitIndex('t', sizes, names)
      : [
          ...splitIndex('t', sizes, [...names.slice(0, -1), 'quad']),
          `let ${names.at(-1)} = quad * 4;`,
        ];
  return block(`for (var t = ry; t < ${points}; t += ${split.threads})`, [...lines, ...body]);
}

/** Two partial results in one. WGSL's own max and min of floats may lose a NaN. */
function combine({ reduce, dtype }: How, a: string, b: string): string {
  if (reduce === 'sum') return `${a} + ${b}`;
  if (reduce === 'prod') return `${a} * ${b}`;
  if (reduce === 'peak') return `max(${a}, ${b})`;
  return dtype === 'f32' ? `camada_${reduce}(${a}, ${b})` : `${reduce}(${a}, ${b})`;
}

/** The four lanes of a value, or its only one, folded into one text. */
function foldLanes(writer: RowWriter, how: How, value: ValueId): string {
  const { frame } = writer;
  const at = (lane: number): string => nameOf(frame, value, lane);
  if (frame.lanes === 1) return at(0);
  return combine(how, `(${combine(how, at(0), at(1))})`, `(${combine(how, at(2), at(3))})`);
}

function stageLines(writer: RowWriter, stage: number): string[] {
  const { accumulators } = writer.kernel.stages[stage]!;
  const name = (slot: number): string => `acc${stage}_${slot}`;
  const start = accumulators.map(
    ({ reduce, dtype }, slot) =>
      `var ${name(slot)}: ${dtype} = ${literal(dtype, REDUCTIONS[reduce].identity)};`,
  );
  const fold = accumulators.map(
    (how, slot) =>
      `${name(slot)} = ${combine(how, name(slot), foldLanes(writer, how, how.value))};`,
  );
  const values = elementValues(
    writer,
    accumulators.map(({ value }) => value),
  );
  const lines = [...start, ...rowLoop(writer, [...values, ...fold])];
  return writer.split.threads === 1 ? lines : [...lines, ...meet(writer, stage)];
}

function sharedName(dtype: ScalarType, slot: number): string {
  return `parts_${dtype}_${slot}`;
}

function sharedArrays(writer: RowWriter): string[] {
  const { split, kernel } = writer;
  const names = new Map<string, ScalarType>();
  for (const stage of kernel.stages)
    stage.accumulators.forEach(({ dtype }, slot) => names.set(sharedName(dtype, slot), dtype));
  if ([...names.values()].includes('bool'))
    throw new CamadaError(`internal: kernel ${kernel.label} reduces booleans`);
  const size = split.rows * split.threads;
  return [...names].map(([name, dtype]) => `var<workgroup> ${name}: array<${dtype}, ${size}>;`);
}

/** Statements that give every invocation of a row the row's whole accumulators. */
function meet(writer: RowWriter, stage: number): string[] {
  const { kernel, split } = writer;
  const parts = kernel.stages[stage]!.accumulators.map(({ reduce, dtype }, slot) => ({
    reduce,
    dtype,
    shared: sharedName(dtype, slot),
    acc: `acc${stage}_${slot}`,
  }));
  const put = parts.map(({ shared, acc }) => `${shared}[local] = ${acc};`);
  const body = split.tree ? treeLines(parts, split) : allLines(parts, split);
  // The last barrier keeps a later stage from overwriting parts that are still being read.
  return [...put, 'workgroupBarrier();', ...body, 'workgroupBarrier();'];
}

interface Part extends How {
  readonly shared: string;
  readonly acc: string;
}

function treeLines(parts: readonly Part[], split: Split): string[] {
  const halve = parts.map(
    ({ shared, ...how }) =>
      `${shared}[local] = ${combine(how, `${shared}[local]`, `${shared}[local + u32(half * ${split.rows})]`)};`,
  );
  return [
    ...block(`for (var half = ${split.threads / 2}; half > 0; half = half / 2)`, [
      ...block('if (ry < half)', halve),
      'workgroupBarrier();',
    ]),
    ...parts.map(({ shared, acc }) => `${acc} = ${shared}[rx];`),
  ];
}

function allLines(parts: readonly Part[], split: Split): string[] {
  return [
    ...parts.map(({ shared, acc }) => `${acc} = ${shared}[rx];`),
    ...block(
      `for (var part = 1; part < ${split.threads}; part++)`,
      parts.map(
        ({ shared, acc, ...how }) =>
          `${acc} = ${combine(how, acc, `${shared}[rx + part * ${split.rows}]`)};`,
      ),
    ),
  ];
}

function elementStores(writer: RowWriter, stores: readonly Store[]): string[] {
  const values = elementValues(
    writer,
    stores.map((store) => store.value),
  );
  const body = [...values, ...stores.flatMap((store) => emitStore(writer.frame, store))];
  const loop = rowLoop(writer, body);
  return writer.split.threads === 1 ? loop : block('if (inside)', loop);
}

function rowStores(writer: RowWriter, stores: readonly Store[]): string[] {
  const lines = stores.flatMap((store) => emitStore(writer.frame, store));
  return writer.split.threads === 1 ? lines : block('if (inside && ry == 0)', lines);
}
