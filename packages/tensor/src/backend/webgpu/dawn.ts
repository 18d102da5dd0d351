/**
 * @file Dawn, Chromium's WebGPU, in Node: the npm package `webgpu`. Node only.
 */
import { DeviceError } from '../../errors.ts';
import { importHidden } from './host.ts';
import { isNotAnAddon, useSwiftShader } from './swiftshader.ts';

/** Which driver Dawn shall use. */
export type DawnDriver = 'system' | 'swiftshader' | 'lavapipe';

/** Environment variables by which Vulkan's loader finds drivers; a choice lasts only while Dawn starts. */
const CHOSEN_BY = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'];

/**
 * What `create()` returned, by driver. Dawn aborts the process when this object is collected while a
 * device lives, so it is kept for good.
 */
const instances = new Map<DawnDriver, GPU>();

/** The last start; they take turns, since each changes the environment for a moment. */
let last: Promise<unknown> = Promise.resolve();

/** Dawn's GPU object for a driver. Throws DeviceError when the driver or the package is missing. */
export function dawn(driver: DawnDriver): Promise<GPU> {
  const turn = last.then(() => instances.get(driver) ?? start(driver));
  last = turn.catch(() => undefined); // Whoever asked is told; the next may have more luck.
  return turn;
}

async function start(driver: DawnDriver): Promise<GPU> {
  const before = CHOSEN_BY.map((name) => process.env[name]);
  if (driver === 'swiftshader') await useSwiftShader();
  if (driver === 'lavapipe') await useLavapipe();
  const { create } = await importDawn();
  const gpu = create([]);
  // Dawn looks for drivers at the first request and then keeps to them.
  await gpu.requestAdapter();
  CHOSEN_BY.forEach((name, i) => restore(name, before[i]));
  instances.set(driver, gpu);
  return gpu;
}

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

async function importDawn(): Promise<typeof import('webgpu')> {
  try {
    return await importHidden<typeof import('webgpu')>('webgpu');
  } catch (error) {
    throw new DeviceError(
      `webgpu: the package webgpu cannot be loaded on ${process.platform} ${process.arch} (${String(error)}); ` +
        'run npm install, or choose CAMADA_BACKEND=wasm',
      { cause: error },
    );
  }
}

async function useLavapipe(): Promise<void> {
  const fs = await importHidden<typeof import('node:fs')>('node:fs');
  const folder = '/usr/share/vulkan/icd.d';
  const files = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  const driver = files.find((file) => /^lvp_icd.*\.json$/.test(file));
  if (!driver)
    throw new DeviceError(
      `webgpu: adapter "lavapipe" needs Mesa's Vulkan drivers, 25 or newer, in ${folder}; install mesa-vulkan-drivers`,
    );
  process.env['VK_DRIVER_FILES'] = `${folder}/${driver}`;
  process.env['VK_ICD_FILENAMES'] = `${folder}/${driver}`;
}

/** What Linux shows of a GPU: DRM, NVIDIA's driver, Windows' (WSL), Mali's and Adreno's. */
const GPU_FILES = ['/dev/dri', '/dev/nvidiactl', '/dev/dxg', '/dev/mali0', '/dev/kgsl-3d0'];

/**
 * Whether this machine may have a GPU; asked before Dawn starts, which takes its time and prints warnings
 * about software drivers. Elsewhere than on Linux only Dawn can tell.
 */
export async function mayHaveGpu(): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const { existsSync } = await importHidden<typeof import('node:fs')>('node:fs');
  return GPU_FILES.some((file) => existsSync(file));
}

/**
 * Whether this machine has the library through which Dawn finds GPUs; asked before Dawn starts, which
 * prints a warning when it is missing. Elsewhere than on Linux the system always has one.
 */
export async function hasSystemLoader(): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const os = await importHidden<typeof import('node:os')>('node:os');
  try {
    process.dlopen({ exports: {} }, 'libvulkan.so.1', os.constants.dlopen.RTLD_LAZY);
    return true;
  } catch (error) {
    return isNotAnAddon(error);
  }
}
