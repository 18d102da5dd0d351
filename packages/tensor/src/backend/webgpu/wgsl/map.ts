/**
 * @file Map kernels: each invocation computes one point of the loop, or four neighbours where addresses
 * allow it, and on software adapters several of these, since starting an invocation is dear there.
 */
import { closure, type MapKernel } from '../../../schedule/kernel.ts';
import { sizeOf } from '../../../shape.ts';
import { collapse } from './collapse.ts';
import { ceilDiv, type AdapterFacts } from './facts.ts';
import type { Body } from './shell.ts';
import { block, splitIndex } from './text.ts';
import { emitStore, emitValue, makeFrame, variesOnLastAxis, type Frame } from './values.ts';
import { packedBuffers } from './views.ts';

const WORKGROUP = 64;
/** Above this many values, four lanes cost more in compilation than they save. */
const LONGEST_UNROLLED = 160;

/** Statements that evaluate and store one point (or four). */
function pointLines(frame: Frame): string[] {
  const { kernel } = frame;
  const ids = closure(
    kernel.values,
    kernel.stores.map((store) => store.value),
  );
  return [
    ...ids.flatMap((id) => emitValue(frame, id)),
    ...kernel.stores.flatMap((store) => emitStore(frame, store)),
  ];
}

function frameOf(kernel: MapKernel): Frame {
  const axes = kernel.loop.map((_, i) => `i${i}`);
  const four = kernel.loop.at(-1)! % 4 === 0 && kernel.values.length <= LONGEST_UNROLLED;
  const packed = four
    ? packedBuffers(kernel, variesOnLastAxis(kernel), new Set())
    : new Set<number>();
  return makeFrame(kernel, axes, packed.size > 0 ? 4 : 1, packed);
}

/** Points (or quads) an invocation computes in turn. */
function repeats(points: number, lanes: 1 | 4, facts: AdapterFacts): number {
  if (!facts.cpu) return 1;
  const most = lanes === 4 ? 4 : 16;
  let count = 1;
  while (count < most && points / (count * 2) >= WORKGROUP * 16) count *= 2;
  return count;
}

/** Writes a map kernel. */
export function mapBody(original: MapKernel, facts: AdapterFacts): Body {
  const kernel = collapse(original);
  const frame = frameOf(kernel);
  const points = sizeOf(kernel.loop) / frame.lanes;
  const count = repeats(points, frame.lanes, facts);
  const lines = [...coordinates(frame), ...pointLines(frame)];
  const groups = ceilDiv(points, WORKGROUP * count);
  const body = count === 1 ? single(points, lines) : repeated(points, count, lines);
  return { views: frame.views, before: [], lines: body, workgroup: WORKGROUP, groups };
}

function coordinates(frame: Frame): string[] {
  const { loop } = frame.kernel;
  const sizes = loop.map((size, i) => (i === loop.length - 1 ? size / frame.lanes : size));
  if (frame.lanes === 1) return splitIndex('t', sizes, frame.axes);
  const names = [...frame.axes.slice(0, -1), 'quad'];
  return [...splitIndex('t', sizes, names), `let ${frame.axes.at(-1)} = quad * 4;`];
}

function single(points: number, lines: readonly string[]): string[] {
  const guard = points % WORKGROUP === 0 ? [] : [`if (t >= ${points}) { return; }`];
  return [`let t = i32(group * ${WORKGROUP}u + local);`, ...guard, ...lines];
}

function repeated(points: number, count: number, lines: readonly string[]): string[] {
  const chunk = WORKGROUP * count;
  return [
    `let first = i32(group * ${chunk}u + local);`,
    `let end = min(first + ${chunk}, ${points});`,
    ...block(`for (var t = first; t < end; t += ${WORKGROUP})`, lines),
  ];
}
