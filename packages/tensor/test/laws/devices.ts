/**
 * @file The devices that every law compares: wasm and WebGPU against the f64 interpreter. A device is opened once
 * a file. A machine without a WebGPU adapter fails these tests; it does not skip them.
 */
import { openDevice, realize, tensor, useDevice } from '@camada/tensor';
import type { DType, Device, Shape, Tensor, TypedArray } from '@camada/tensor';

declare const process: { env: Record<string, string | undefined> } | undefined;

/** A device under test, or the oracle. */
export type DeviceName = 'wasm' | 'webgpu' | 'reference';

/** Devices under test; `CAMADA_LAW_DEVICES` names fewer, with commas between. */
export const DEVICES: readonly Exclude<DeviceName, 'reference'>[] = (
  ['wasm', 'webgpu'] as const
).filter((name) => {
  const chosen = typeof process === 'undefined' ? undefined : process.env['CAMADA_LAW_DEVICES'];
  return chosen === undefined || chosen.split(',').includes(name);
});

const opened = new Map<DeviceName, Promise<Device>>();

/** The device of that name, made current. */
export async function on(name: DeviceName): Promise<Device> {
  const known = opened.get(name) ?? openDevice(name);
  opened.set(name, known);
  const device = await known;
  useDevice(device);
  return device;
}

/** Host data of one input. */
export interface HostInput {
  readonly data: TypedArray;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** What one device computed. */
export interface Result {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: TypedArray;
}

/** A computation written once for all devices. */
export type Law = (inputs: Tensor[]) => Tensor | Tensor[];

/** Runs a computation on one device, all of its outputs in one program. */
export async function compute(
  name: DeviceName,
  law: Law,
  inputs: readonly HostInput[],
): Promise<Result[]> {
  await on(name);
  const tensors = inputs.map(({ data, shape, dtype }) => tensor(data, shape, dtype));
  const outputs = [law(tensors)].flat();
  await realize(outputs);
  const results: Result[] = [];
  for (const x of outputs) results.push({ shape: x.shape, dtype: x.dtype, data: await x.data() });
  return results;
}
