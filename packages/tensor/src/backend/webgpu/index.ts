/**
 * @file Entry of the WebGPU back end.
 */
import type { Backend } from '../backend.ts';
import { chooseAdapter, findAdapter, requestDevice, type AdapterChoice } from './adapter.ts';
import { WebGPUBackend } from './backend.ts';
import { mayHaveGpu } from './dawn.ts';
import { inNode } from './host.ts';

/** Options of {@link openWebGPU}. */
export interface WebGPUOptions {
  /** Default: `CAMADA_WEBGPU_ADAPTER`, else `auto`. */
  readonly adapter?: AdapterChoice;
  /** `adapter` (default): all the adapter allows. `default`: what WebGPU guarantees everywhere. */
  readonly limits?: 'adapter' | 'default';
  /** A device of the caller's own, used instead of a new one; it is destroyed by `dispose`. */
  readonly device?: GPUDevice;
}

/**
 * Opens a device: the browser's WebGPU, or Dawn in Node. Throws DeviceError, with what to do, when there is no such
 * adapter.
 */
export async function openWebGPU(options: WebGPUOptions = {}): Promise<Backend> {
  if (options.device) return new WebGPUBackend(options.device);
  const adapter = await findAdapter(chooseAdapter(options.adapter));
  return new WebGPUBackend(await requestDevice(adapter, options.limits ?? 'adapter'));
}

/**
 * Whether WebGPU would run on a GPU here. Never throws and prints nothing: without one, the wasm back end is
 * faster than WebGPU on a software adapter.
 */
export async function hasHardwareAdapter(): Promise<boolean> {
  try {
    if (inNode() && !(await mayHaveGpu())) return false;
    await findAdapter('hardware');
    return true;
  } catch {
    return false; // Whatever is wrong with WebGPU here, the answer is no.
  }
}

export type { AdapterChoice } from './adapter.ts';
