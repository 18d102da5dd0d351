/**
 * @file Entry of the WebGPU back end.
 */
import { DeviceError } from '../../errors.ts';
import type { Backend } from '../backend.ts';
import { chooseAdapter, findAdapter, requestDevice, type AdapterChoice } from './adapter.ts';
import { WebGPUBackend } from './backend.ts';
import { mayHaveGpu } from './dawn.ts';
import { environment, inNode } from './host.ts';
import type { AdapterFacts } from './wgsl/facts.ts';

/** Options of {@link openWebGPU}. */
export interface WebGPUOptions {
  /** Default: `CAMADA_WEBGPU_ADAPTER`, else `auto`. */
  readonly adapter?: AdapterChoice;
  /** `adapter`: all the adapter allows. `default`: what WebGPU guarantees everywhere. Default: `CAMADA_WEBGPU_LIMITS`, else `adapter`. */
  readonly limits?: 'adapter' | 'default';
  /** A device of the caller's own, used instead of a new one; it is destroyed by `dispose`. */
  readonly device?: GPUDevice;
  /** Facts to assume instead of the device's own, to try the kernels for another class of device. */
  readonly facts?: Partial<AdapterFacts>;
}

/** As asked, or `CAMADA_WEBGPU_LIMITS`. Throws DeviceError on another word. */
function chooseLimits(given: 'adapter' | 'default' | undefined): 'adapter' | 'default' {
  const choice = given ?? environment('CAMADA_WEBGPU_LIMITS') ?? 'adapter';
  if (choice === 'adapter' || choice === 'default') return choice;
  throw new DeviceError(
    `webgpu: unknown limits "${String(choice)}" in CAMADA_WEBGPU_LIMITS or options; use adapter or default`,
  );
}

/**
 * Opens a device: the browser's WebGPU, or Dawn in Node. Throws DeviceError, with what to do, when there is no such
 * adapter.
 */
export async function openWebGPU(options: WebGPUOptions = {}): Promise<Backend> {
  const { device, facts } = options;
  if (device) return new WebGPUBackend(device, facts);
  const limits = chooseLimits(options.limits);
  const adapter = await findAdapter(chooseAdapter(options.adapter));
  return new WebGPUBackend(await requestDevice(adapter, limits), facts);
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
