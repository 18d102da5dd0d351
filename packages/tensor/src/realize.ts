/**
 * @file The whole story: wanted values and pending updates become one trace, the trace one program, the
 * program one run, and the results the tensors' memory.
 */
import { currentDevice, device, type Device } from './device.ts';
import { hostArray, type TypedArray } from './dtype.ts';
import { InputError, invariant } from './errors.ts';
import { checked, compute } from './eager/eager.ts';
import { widenHalves } from './halves.ts';
import { bufferNode, hostStorage, nodeSize, type Node, type Storage } from './graph/node.ts';
import { leafStorage, type Wanted } from './graph/trace.ts';
import { isRecording } from './host-number.ts';
import { ifRefused, sure } from './late.ts';

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

/** An update not yet run: the holder and the memory that it had before. */
export type Update = readonly [Holder, Storage | undefined];

/** The updates queued so far, which are now the caller's to run. */
export function takeUpdates(): Update[] {
  const updates = [...pending];
  pending.clear();
  return updates;
}

/** Lets what was to be updated read as before. */
export function undoUpdates(updates: readonly Update[]): void {
  for (const [holder, old] of updates)
    if (old && !old.disposed) holder.node = bufferNode(old, holder.node.shape);
}

/** Computes the holders' values and all pending updates in one run. */
export async function realizeNodes(holders: readonly Holder[]): Promise<void> {
  checkNotRecording();
  const target = currentDevice() ?? (await device());
  runPending(target, holders);
  const storages = holders.map((holder) => leafStorage(holder.node));
  if (target.eager) await checked(target);
  await Promise.all(storages.filter((storage) => storage !== undefined).map(sure));
}

/**
 * Computes and reads one value; 16-bit floats come as f32. Once a device is open, everything up to the read
 * is enqueued before this returns: what the caller assigns next does not disturb it.
 */
export async function readHolder(holder: Holder): Promise<TypedArray> {
  checkNotRecording();
  const target = currentDevice() ?? (await device());
  runPending(target, [holder]);
  const data = readNode(target, holder.node);
  if (target.eager) await checked(target);
  return data;
}

function checkNotRecording(): void {
  if (isRecording())
    throw new InputError(
      'a tensor is read or realized inside a captured step, which only builds a graph: return the tensor from the ' +
        'step and read it afterwards',
    );
}

/** Computes what is not in memory yet, and all pending updates, in one run. */
export function runPending(target: Device, holders: readonly Holder[]): void {
  const updates = takeUpdates();
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
  updates.forEach((update, i) => settleUpdate(update, results[byNode.size + i]!));
}

/** A run that fails changes nothing: what it was to update reads as before. */
function runOrUndo(
  target: Device,
  wanted: readonly Wanted[],
  updates: readonly Update[],
): Storage[] {
  try {
    return compute(target, wanted);
  } catch (error) {
    undoUpdates(updates);
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
export function settled(holder: Holder): boolean {
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

/** Puts memory in the place of what the holders computed. */
export function settle(group: readonly Holder[], storage: Storage, cache = true): void {
  for (const holder of group) {
    const { node } = holder;
    if (cache) node.cache = storage;
    holder.node = bufferNode(storage, node.shape);
    if (cache) ifRefused(storage, () => takeBack(holder, node, storage));
  }
}

/** Puts memory in the place of an update, unless it is refused later. */
export function settleUpdate(update: Update, storage: Storage): void {
  const [holder] = update;
  settle([holder], storage, false);
  ifRefused(storage, () => {
    pending.delete(holder);
    undoUpdates([update]);
  });
}

/** Lets a holder be computed again whose memory will never have a content. */
function takeBack(holder: Holder, node: Node, storage: Storage): void {
  node.cache = undefined;
  if (leafStorage(holder.node) === storage) holder.node = node;
}

async function readNode(target: Device, node: Node): Promise<TypedArray> {
  const storage = leafStorage(node);
  invariant(storage, 'readNode of a node without memory');
  if (storage.size === 0) return widen(hostArray(storage.dtype, 0), storage.dtype);
  return widen(await target.backend.read(target.bufferOf(storage)), storage.dtype);
}

function widen(data: TypedArray, dtype: Storage['dtype']): TypedArray {
  if (!(data instanceof Uint16Array)) return data;
  return widenHalves(data, dtype === 'f16' ? 'f16' : 'bf16');
}

/** Frees the memory of a realized node. */
export function discard(node: Node): void {
  const storage = leafStorage(node);
  if (!storage) return;
  storage.device?.release();
  storage.host = undefined;
  storage.disposed = true;
}
