/**
 * @file Runs that wait for memory which the device may still refuse. The engine goes on as if they had happened; what
 * it changed is taken back when they are refused, last run first (see `Backend.run`).
 */
import type { Storage } from './graph/node.ts';

const waiting = new WeakMap<Storage, Promise<void>>();

/** Notes that the content of a storage comes from an operation that waits. */
export function markLate(storage: Storage, late: Promise<void>): void {
  waiting.set(storage, late);
  const forget = (): boolean => waiting.delete(storage);
  late.then(forget, forget);
}

/** Takes something back if the operation that a storage waits for is refused. */
export function ifRefused(storage: Storage, takeBack: () => void): void {
  waiting.get(storage)?.catch(takeBack);
}

/** Does what cannot be taken back: at once, or when the operation that a storage waits for has run. */
export function onceSure(storage: Storage, act: () => void): void {
  const late = waiting.get(storage);
  if (!late) return act();
  late.then(act, () => undefined);
}

/** Resolves when the operation that a storage waits for has run; rejects when it is refused. */
export async function sure(storage: Storage): Promise<void> {
  await waiting.get(storage);
}
