/**
 * @file Finds an adapter and asks it for a device: the browser's, or Dawn's in Node.
 */
import { DeviceError } from '../../errors.ts';
import { dawn, hasSystemLoader } from './dawn.ts';
import { environment, inNode } from './host.ts';
import type { AdapterFacts } from './wgsl/facts.ts';

/** Which adapter to use. `auto`: the host's choice; `hardware`: anything but a software adapter. */
export type AdapterChoice = 'auto' | 'hardware' | 'swiftshader' | 'lavapipe';

const CHOICES: readonly AdapterChoice[] = ['auto', 'hardware', 'swiftshader', 'lavapipe'];

/** Limits of which the engine uses all there is. */
const WANTED = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** A name given by the user or in `CAMADA_WEBGPU_ADAPTER`. Throws DeviceError on one that is unknown. */
export function chooseAdapter(given: string | undefined): AdapterChoice {
  const name = given ?? environment('CAMADA_WEBGPU_ADAPTER') ?? 'auto';
  const choice = CHOICES.find((known) => known === name);
  if (choice) return choice;
  throw new DeviceError(
    `webgpu: unknown adapter "${name}" in CAMADA_WEBGPU_ADAPTER or options; use one of ${CHOICES.join(', ')}`,
  );
}

/** The adapter of a choice. Throws DeviceError, with what to do, when there is none. */
export async function findAdapter(choice: AdapterChoice): Promise<GPUAdapter> {
  const gpu = await findGPU(choice);
  const adapter = await gpu?.requestAdapter({
    powerPreference: 'high-performance',
    forceFallbackAdapter: !inNode() && choice === 'swiftshader',
  });
  if (adapter && (choice !== 'hardware' || !isSoftware(adapter.info))) return adapter;
  const kind = choice === 'hardware' ? 'GPU' : 'adapter';
  throw new DeviceError(`webgpu: no ${kind} found (asked for "${choice}"); ${advice()}`);
}

function advice(): string {
  if (!inNode()) return 'use a browser with WebGPU over https or localhost, or the wasm back end';
  return 'install a Vulkan driver, or set CAMADA_BACKEND=wasm, or CAMADA_WEBGPU_ADAPTER=swiftshader for tests';
}

async function findGPU(choice: AdapterChoice): Promise<GPU | undefined> {
  if (choice === 'auto' || choice === 'hardware' || !inNode()) {
    const own =
      typeof navigator === 'undefined' ? undefined : (navigator as Partial<Navigator>).gpu;
    if (own || !inNode()) return own;
    return (await hasSystemLoader()) ? dawn('system') : undefined;
  }
  return dawn(choice);
}

/** True for adapters that compute on the CPU. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  const text = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return (
    info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(text)
  );
}

/** A device with all that the adapter allows, or with WebGPU's default limits. */
export async function requestDevice(
  adapter: GPUAdapter,
  limits: 'adapter' | 'default',
): Promise<GPUDevice> {
  if (limits === 'default') return adapter.requestDevice();
  const requiredLimits: Record<string, number> = {};
  for (const name of WANTED) requiredLimits[name] = adapter.limits[name];
  return adapter.requestDevice({ requiredLimits });
}

/** The facts by which kernels choose their variant. */
export function factsOf(device: GPUDevice): AdapterFacts {
  const { limits } = device;
  return {
    cpu: isSoftware(device.adapterInfo),
    maxWorkgroups: limits.maxComputeWorkgroupsPerDimension,
    maxInvocations: limits.maxComputeInvocationsPerWorkgroup,
    workgroupBytes: limits.maxComputeWorkgroupStorageSize,
    storageBuffers: limits.maxStorageBuffersPerShaderStage,
    bindingBytes: limits.maxStorageBufferBindingSize,
    bindingStep: limits.minStorageBufferOffsetAlignment,
  };
}

/** Name of an adapter for people. */
export function describeAdapter(info: GPUAdapterInfo): string {
  const name = info.description || info.device || info.architecture || 'unnamed adapter';
  return [info.vendor, name].filter((part) => part !== '').join(' ');
}

/** All limits of a device that matter to the engine. */
export function limitsOf(device: GPUDevice): Record<string, number> {
  return Object.fromEntries(WANTED.map((name) => [name, device.limits[name]]));
}
