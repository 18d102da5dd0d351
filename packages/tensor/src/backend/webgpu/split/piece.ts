/**
 * @file What splitting is given and what it makes.
 */
import { DeviceError } from '../../../errors.ts';
import type { Kernel } from '../../../schedule/kernel.ts';
import { showBytes } from '../health.ts';
import type { BindingLimits, Window } from './reach.ts';
import type { Scratch } from './stages.ts';

/** One dispatch of a split kernel. */
export interface Piece {
  /** Addresses are relative to the windows. */
  readonly kernel: Kernel;
  /** Part of each of the kernel's buffers to bind; undefined for all of it. */
  readonly windows: readonly (Window | undefined)[];
  /** False where the output must keep what earlier pieces wrote. */
  readonly clears: boolean;
}

/** What splitting needs to know of a plan. */
export interface Splitting {
  readonly limits: BindingLimits;
  /** Storage buffers that one kernel may bind. */
  readonly maxBuffers: number;
  /** Bytes of a buffer by its id. */
  readonly bytesOf: (id: number) => number;
  readonly scratch: Scratch;
}

/** The error of a kernel that cannot be split. */
export function refusal(kernel: Kernel, { limits, bytesOf }: Splitting, why: string): DeviceError {
  const largest = Math.max(...kernel.buffers.map(({ id }) => bytesOf(id)));
  return new DeviceError(
    `webgpu: ${kernel.label} over [${kernel.loop.join(', ')}] works on a tensor of ${showBytes(largest)}, ` +
      `this device binds at most ${showBytes(limits.bytes)} at once, and ${why}; ` +
      'use a smaller batch, split the tensor, or choose the wasm back end with CAMADA_BACKEND=wasm',
  );
}

/** How many of `total` rows of 4-byte elements go into one window, so that every window begins where bindings may. */
export function rowsOfWindow(width: number, total: number, { limits }: Splitting): number {
  if (width * total * 4 <= limits.bytes) return Math.max(1, total);
  let unit = 1;
  while ((width * unit * 4) % limits.step !== 0) unit *= 2;
  return Math.floor(limits.bytes / (width * unit * 4)) * unit;
}
