/**
 * @file Host numbers that change from run to run, and what else a step does on the host. In a normal run a
 * function is read at once; a captured step (`capture.ts`) reads it again before each run, since the code
 * that made the graph does not run again.
 */
import { computeType, type DType, type ScalarType } from './dtype.ts';
import { cast, scalar } from './graph/build.ts';
import type { Node } from './graph/node.ts';

/** A number, or where to read it at each run of a captured step. */
export type HostNumber = number | (() => number);

/** Today's value. A captured step must not keep it: see `scalar`. */
export function readNumber(number: HostNumber): number {
  return typeof number === 'number' ? number : reading(number);
}

let depth = 0;

/** Runs a function that reads numbers of the call, as it will be run again at the next one. */
function reading<T>(read: () => T): T {
  depth++;
  try {
    return read();
  } finally {
    depth--;
  }
}

/** True while a captured step builds its graph, outside the functions that will be run again: what is read now is frozen. */
export function wouldFreeze(): boolean {
  return recording !== undefined && depth === 0;
}

/** What a captured step repeats on the host: reading numbers into scalar nodes, or an effect without nodes. */
export interface HostAction {
  readonly nodes: readonly Node[];
  readonly read: () => readonly number[];
}

let recording: HostAction[] | undefined;

/** Runs `f` and lists what must be repeated on the host, in order. */
export function recordHostActions<T>(f: () => T): { result: T; actions: readonly HostAction[] } {
  const outer = recording;
  const actions: HostAction[] = [];
  recording = actions;
  try {
    return { result: f(), actions };
  } finally {
    recording = outer;
  }
}

/** True while a step is being captured. */
export function isRecording(): boolean {
  return recording !== undefined;
}

/** Scalar nodes of several numbers that are read together. */
export function liveScalars(read: () => readonly number[], dtype: ScalarType): Node[] {
  const nodes = reading(read).map((value) => scalar(value, dtype));
  recording?.push({ nodes, read });
  return nodes;
}

/** A node of a host number, shape []. */
export function numberNode(number: HostNumber, dtype: DType): Node {
  const type = computeType(dtype);
  const node =
    typeof number === 'number' ? scalar(number, type) : liveScalars(() => [number()], type)[0]!;
  return cast(node, dtype);
}

/**
 * Does something on the host now, and again in each run of the captured step in which this was called, in the
 * order of the calls: an optimizer counts its steps so.
 */
export function hostEffect(effect: () => void): void {
  const read = (): readonly number[] => {
    effect();
    return [];
  };
  reading(read);
  recording?.push({ nodes: [], read });
}
