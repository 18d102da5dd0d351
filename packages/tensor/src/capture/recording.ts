/**
 * @file A captured step as data: its program, where each input comes from at a later call, which host numbers
 * are read again, and what becomes of each output. Nothing here holds a graph.
 */
import type { Program } from '../backend/backend.ts';
import type { Device } from '../device.ts';
import type { DType } from '../dtype.ts';
import { InputError } from '../errors.ts';
import {
  bufferNode,
  lineageOf,
  nextSerial,
  type Lineage,
  type Node,
  type Storage,
} from '../graph/node.ts';
import { leafStorage, trace, type Trace, type Wanted } from '../graph/trace.ts';
import { recordHostActions, type HostAction } from '../host-number.ts';
import { settled, takeUpdates, undoUpdates, type Holder, type Update } from '../realize.ts';
import { programOf, runData, type RunData } from '../run.ts';
import { Tensor } from '../tensor.ts';
import { digest } from './digest.ts';
import { mapTree } from './tree.ts';

/** Where the memory of an input is found. */
export type Source =
  /** A tensor among the arguments. */
  | { readonly kind: 'argument'; readonly index: number }
  /** A tensor that the step updates. */
  | { readonly kind: 'updated'; readonly holder: Holder }
  /** A tensor that the step closes over. */
  | { readonly kind: 'memory'; readonly lineage: Lineage }
  /** Host data made inside the step: the same at each call. */
  | { readonly kind: 'constant'; readonly storage: Storage; readonly digest: number };

/** Host numbers that are read together, and their places in the scalar buffer (−1: unused). */
export interface LiveNumbers {
  readonly read: () => readonly number[];
  readonly dtype: DType;
  readonly slots: readonly number[];
}

/** What a call returns in one place of its result. */
export type ResultPlace =
  | { readonly kind: 'output'; readonly index: number; readonly shape: readonly number[] }
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'tensor'; readonly tensor: Tensor };

/** Everything that a later call needs. */
export interface Recording {
  readonly key: string;
  readonly program: Program;
  readonly sources: readonly Source[];
  readonly words: Uint32Array;
  readonly live: readonly LiveNumbers[];
  readonly outputs: RunData['outputs'];
  /** The last outputs are the new values of these. */
  readonly updated: readonly Holder[];
  /** The step's result with a `Place` for each tensor. */
  readonly result: unknown;
  /** What the step closes over and computes at each call: once one of these has memory, the graph is another. */
  readonly outer: readonly Node[];
  /** False where state got its first memory in this call: the next one has another graph. */
  readonly settled: boolean;
}

/** A recording with the data of the call that made it. */
export interface FirstCall {
  readonly recording: Recording;
  readonly data: RunData;
  readonly traced: Trace;
  /** Gives the updated tensors back what they had. */
  readonly undo: () => void;
}

/** Runs the step on stand-ins for its arguments and records what it builds. Throws InputError; then nothing is updated. */
export function record(
  target: Device,
  step: (args: unknown) => unknown,
  args: unknown,
  tensors: readonly Tensor[],
): FirstCall {
  const since = nextSerial();
  const stands: Storage[] = [];
  const standIns = mapTree(args, (value) => {
    if (!(value instanceof Tensor)) return value;
    const { dtype, size, shape } = value;
    const storage = { dtype, size, host: undefined, device: undefined, disposed: false };
    stands.push(storage);
    return new Tensor(bufferNode(storage, shape));
  });
  const memory = tensors.map(({ node }) => leafStorage(node)!); // before the step can update them
  const built = build(() => step(standIns));
  const { updates } = built;
  try {
    return assemble(target, { ...built, stands, since, memory });
  } catch (error) {
    undoUpdates(updates);
    throw error;
  }
}

interface Built {
  readonly result: unknown;
  readonly actions: readonly HostAction[];
  readonly updates: readonly Update[];
  readonly stands: readonly Storage[];
  readonly since: number;
  /** What the stand-ins stand for. */
  readonly memory: readonly Storage[];
}

/** Runs the step; the updates that it queued are taken, or undone where it throws. */
function build(step: () => unknown): Pick<Built, 'result' | 'actions' | 'updates'> {
  try {
    const { result, actions } = recordHostActions(step);
    if (result instanceof Promise) {
      result.catch(() => undefined); // the error below says it all
      throw new InputError(
        'capture: the step is asynchronous; a captured step only builds a graph: it awaits and reads nothing',
      );
    }
    return { result, actions, updates: takeUpdates() };
  } catch (error) {
    undoUpdates(takeUpdates());
    throw error;
  }
}

function assemble(target: Device, built: Built): FirstCall {
  const { updates, stands, actions } = built;
  for (const [, replaces] of updates)
    if (replaces && stands.includes(replaces))
      throw new InputError(
        'capture: the step assigns to one of its arguments; let it close over a tensor that it updates',
      );
  const { places, wanted } = resultPlaces(built);
  const all = [...wanted, ...updates.map(([{ node }, replaces]) => ({ node, replaces }))];
  const traced = trace(all);
  const data = runData(traced, all);
  const slots = new Map(traced.scalars.map((node, slot) => [node, slot]));
  const recording: Recording = {
    key: traced.key,
    program: programOf(target, traced),
    sources: traced.inputs.map((storage, i) => sourceOf(storage, traced.leaves[i]!, built)),
    words: data.words,
    live: actions.map(({ read, nodes }) => ({
      read,
      dtype: nodes[0]?.dtype ?? 'f32',
      slots: nodes.map((node) => slots.get(node) ?? -1),
    })),
    outputs: data.outputs,
    updated: updates.map(([holder]) => holder),
    result: places,
    outer: traced.madeBefore(built.since),
    settled: updates.every(([, replaces]) => replaces !== undefined),
  };
  const inputs = data.inputs.map((storage) => actual(storage, built));
  checkApart(
    built.memory,
    updates.map(([, replaces]) => replaces),
  );
  return { recording, data: { ...data, inputs }, traced, undo: () => undoUpdates(updates) };
}

/** Throws InputError where an argument is a tensor that the step updates: it would be read and written at once. */
export function checkApart(
  args: readonly Storage[],
  updated: readonly (Storage | undefined)[],
): void {
  const written = new Set(updated);
  args.forEach((storage, i) => {
    if (written.has(storage))
      throw new InputError(
        `capture: tensor ${i} of the arguments is one that the step updates; close over it instead`,
      );
  });
}

/** The memory that a stand-in stands for. */
function actual(storage: Storage, { stands, memory }: Built): Storage {
  const index = stands.indexOf(storage);
  return index < 0 ? storage : memory[index]!;
}

function sourceOf(storage: Storage, leaf: Node, { stands, updates, since }: Built): Source {
  const index = stands.indexOf(storage);
  if (index >= 0) return { kind: 'argument', index };
  const update = updates.find(([, replaces]) => replaces === storage);
  if (update) return { kind: 'updated', holder: update[0] };
  if (leaf.op === 'buffer' && leaf.serial >= since && storage.host)
    return { kind: 'constant', storage, digest: digest(storage.host) };
  return { kind: 'memory', lineage: lineageOf(storage) };
}

/** What each tensor of the result will be at a later call, and the nodes to compute for it. */
function resultPlaces(built: Built): { places: unknown; wanted: Wanted[] } {
  const wanted: Wanted[] = [];
  const outputs = new Map<Node, number>();
  const updated = new Set(built.updates.map(([holder]) => holder));
  const place = (tensor: Tensor): ResultPlace => {
    if (updated.has(tensor)) return { kind: 'tensor', tensor };
    const known = settled(tensor);
    const index = built.stands.indexOf(leafStorage(tensor.node)!);
    if (index >= 0) return { kind: 'argument', index };
    if (known) return { kind: 'tensor', tensor };
    const { node } = tensor;
    const output = outputs.get(node) ?? wanted.push({ node, replaces: undefined }) - 1;
    outputs.set(node, output);
    return { kind: 'output', index: output, shape: node.shape };
  };
  const places = mapTree(built.result, (value, path) => {
    if (value instanceof Tensor) return new Place(place(value));
    if (value === undefined || value === null) return value;
    throw new InputError(
      `capture: result${path} is of type ${typeof value}, but a captured step returns tensors, in arrays and plain ` +
        'objects: anything else would stay what it was in the first call',
    );
  });
  return { places, wanted };
}

/** A place in a tree of results. */
export class Place {
  readonly of: ResultPlace;

  constructor(of: ResultPlace) {
    this.of = of;
  }
}
