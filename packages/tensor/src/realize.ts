/**
 * @file The whole story: wanted values and pending updates become one trace, the trace one program, the
 * program one run, and the results the tensors' memory.
 */
import type { DeviceBuffer } from './backend/backend.ts';
import { currentDevice, device, type Device } from './device.ts';
import { f32Bits, fromBf16, fromF16, hostArray, type TypedArray } from './dtype.ts';
import { invariant } from './errors.ts';
import type { Graph } from './graph/graph.ts';
import { bufferNode, hostStorage, nodeSize, type Node, type Storage } from './graph/node.ts';
import { leafStorage, trace, type Trace, type Wanted } from './graph/trace.ts';
import type { Plan } from './schedule/plan.ts';
import { interpretPlan, schedule } from './schedule/schedule.ts';

/** Anything that holds a node; its node is exchanged when memory takes the place of a computation. */
export interface Holder {
  node: Node;
}

/** Updates not yet run: the holder and the memory that it had when it was first assigned. */
const pending = new Map<Holder, Storage | undefined>();

/** Records an update; the holder reads as `value` from now on. */
export function queueAssign(holder: Holder, value: Node): void {
  if (!pending.has(holder)) pending.set(holder, leafStorage(holder.node));
  holder.node = value;
}

/** Computes the holders' values and all pending updates in one run. */
export async function realizeNodes(holders: readonly Holder[]): Promise<void> {
  runPending(currentDevice() ?? (await device()), holders);
}

/**
 * Computes and reads one value; 16-bit floats come as f32. Once a device is open, everything up to the read
 * is enqueued before this returns: what the caller assigns next does not disturb it.
 */
export async function readHolder(holder: Holder): Promise<TypedArray> {
  const target = currentDevice() ?? (await device());
  runPending(target, [holder]);
  return readNode(target, holder.node);
}

function runPending(target: Device, holders: readonly Holder[]): void {
  const updates = [...pending];
  pending.clear();
  const updated = new Set(updates.map(([holder]) => holder));
  const values = [...new Set(holders)].filter((holder) => !updated.has(holder) && !settled(holder));
  const byNode = groupByNode(values);
  const wanted: Wanted[] = [
    ...[...byNode.keys()].map((node) => ({ node, replaces: undefined })),
    ...updates.map(([holder, replaces]) => ({ node: holder.node, replaces })),
  ];
  if (wanted.length === 0) return;
  const results = runOrUndo(target, wanted, updates);
  [...byNode.values()].forEach((group, i) => settle(group, results[i]!));
  updates.forEach(([holder], i) => settle([holder], results[byNode.size + i]!, false));
}

/** A run that fails changes nothing: what it was to update reads as before. */
function runOrUndo(
  target: Device,
  wanted: readonly Wanted[],
  updates: readonly [Holder, Storage | undefined][],
): Storage[] {
  try {
    return run(target, wanted);
  } catch (error) {
    for (const [holder, old] of updates)
      if (old && !old.disposed) holder.node = bufferNode(old, holder.node.shape);
    throw error;
  }
}

function groupByNode(holders: readonly Holder[]): Map<Node, Holder[]> {
  const groups = new Map<Node, Holder[]>();
  for (const holder of holders)
    groups.set(holder.node, [...(groups.get(holder.node) ?? []), holder]);
  return groups;
}

/** True when the value is in memory already (or has no elements). */
function settled(holder: Holder): boolean {
  const storage = leafStorage(holder.node);
  if (storage)
    holder.node =
      holder.node.op === 'buffer' ? holder.node : bufferNode(storage, holder.node.shape);
  else if (nodeSize(holder.node) === 0)
    holder.node = bufferNode(
      hostStorage(hostArray(holder.node.dtype, 0), holder.node.dtype),
      holder.node.shape,
    );
  return storage !== undefined || nodeSize(holder.node) === 0;
}

function settle(group: readonly Holder[], storage: Storage, cache = true): void {
  for (const holder of group) {
    if (cache) holder.node.cache = storage;
    holder.node = bufferNode(storage, holder.node.shape);
  }
}

/** One program, one run; the memory of each wanted value. */
function run(target: Device, wanted: readonly Wanted[]): Storage[] {
  const traced = trace(wanted);
  const { backend } = target;
  const program = target.program(traced.key, () => backend.compile(planOf(traced.graph(), target)));
  const { plan } = program;
  const bindings = bindInputs(target, plan, traced);
  try {
    reserveOutputs(target, plan, bindings);
    backend.run(program, bindings, scalarWords(traced.scalars));
  } catch (error) {
    releaseOutputs(target, plan, bindings);
    throw error;
  }
  return wanted.map((want, i) => resultStorage(target, plan, bindings, want, i, traced));
}

function planOf(graph: Graph, target: Device): Plan {
  if (target.info.backend === 'reference') return interpretPlan(graph);
  return schedule(graph, target.backend.scheduleLimits);
}

type Bindings = (DeviceBuffer | undefined)[];

/** Memory of the inputs by plan buffer, uploaded where it is not yet. */
function bindInputs(target: Device, plan: Plan, traced: Trace): Bindings {
  return plan.buffers.map(({ role, index }) =>
    role === 'input' ? target.bufferOf(traced.inputs[index]!) : undefined,
  );
}

function reserveOutputs(target: Device, plan: Plan, bindings: Bindings): void {
  plan.buffers.forEach(({ role, size, dtype }, i) => {
    if (role === 'output') bindings[i] = target.allocate(size, dtype);
  });
}

function releaseOutputs(target: Device, plan: Plan, bindings: Bindings): void {
  plan.buffers.forEach(({ role }, i) => {
    if (role === 'output' && bindings[i]) target.backend.free(bindings[i]);
  });
}

function resultStorage(
  target: Device,
  plan: Plan,
  bindings: Readonly<Bindings>,
  want: Wanted,
  index: number,
  traced: Trace,
): Storage {
  const { dtype } = want.node;
  const result: Storage = {
    dtype,
    size: nodeSize(want.node),
    host: undefined,
    device: undefined,
    disposed: false,
  };
  const id = plan.outputs[index]!;
  const buffer = plan.buffers[id]!;
  if (buffer.role === 'input') {
    target.handOver(traced.inputs[buffer.index]!, result);
    return result;
  }
  const memory = bindings[id];
  invariant(memory, 'an output has no memory');
  target.own(result, memory);
  if (want.replaces) {
    want.replaces.device?.release();
    want.replaces.disposed = true;
  }
  return result;
}

/** The host numbers as 32-bit words. */
function scalarWords(scalars: readonly Node[]): Uint32Array {
  return Uint32Array.from(scalars, (node) => {
    invariant(node.op === 'scalar', 'scalar slots hold scalar nodes');
    if (node.dtype === 'f32') return f32Bits(node.attrs.value);
    if (node.dtype === 'bool') return node.attrs.value ? 1 : 0;
    return node.attrs.value >>> 0;
  });
}

async function readNode(target: Device, node: Node): Promise<TypedArray> {
  const storage = leafStorage(node);
  invariant(storage, 'readNode of a node without memory');
  if (storage.size === 0) return widen(hostArray(storage.dtype, 0), storage.dtype);
  return widen(await target.backend.read(target.bufferOf(storage)), storage.dtype);
}

function widen(data: TypedArray, dtype: Storage['dtype']): TypedArray {
  if (!(data instanceof Uint16Array)) return data;
  return Float32Array.from(data, dtype === 'f16' ? fromF16 : fromBf16);
}

/** Frees the memory of a realized node. */
export function discard(node: Node): void {
  const storage = leafStorage(node);
  if (!storage) return;
  storage.device?.release();
  storage.host = undefined;
  storage.disposed = true;
}
