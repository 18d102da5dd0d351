/** @file A GPUDevice whose memory can be made to run out, around a real one. */
import { chooseAdapter, findAdapter, requestDevice } from '../../src/backend/webgpu/adapter.ts';

/** What the device shall refuse. */
export interface Faults {
  /** Called for each buffer; true refuses it. */
  refuses: (descriptor: GPUBufferDescriptor) => boolean;
  /** Buffers refused so far. */
  refused: number;
}

/** A real device, and the same with faults. */
export async function faultyDevice(): Promise<{
  device: GPUDevice;
  real: GPUDevice;
  faults: Faults;
}> {
  const real = await requestDevice(await findAdapter(chooseAdapter(undefined)), 'adapter');
  const faults: Faults = { refuses: () => false, refused: 0 };
  const scopes: { filter: GPUErrorFilter; error: GPUError | undefined }[] = [];
  const own: Partial<GPUDevice> = {
    pushErrorScope(filter) {
      scopes.push({ filter, error: undefined });
      real.pushErrorScope(filter);
    },
    async popErrorScope() {
      const scope = scopes.pop();
      const found = await real.popErrorScope();
      return scope?.error ?? found;
    },
    createBuffer(descriptor) {
      if (!faults.refuses(descriptor)) return real.createBuffer(descriptor);
      faults.refused++;
      const scope = scopes.findLast(({ filter }) => filter === 'out-of-memory');
      if (scope) scope.error = { message: 'simulated: not enough memory left' };
      return invalid(real, descriptor);
    },
  };
  const device = new Proxy(real, {
    get(target, key) {
      const value: unknown = Reflect.get(key in own ? own : target, key);
      return typeof value === 'function' && !(key in own) ? value.bind(target) : value;
    },
  });
  return { device, real, faults };
}

/** What a device gives where it refuses: a buffer with which nothing can be done. */
function invalid(device: GPUDevice, descriptor: GPUBufferDescriptor): GPUBuffer {
  device.pushErrorScope('validation');
  const buffer = device.createBuffer({ ...descriptor, usage: 0 });
  void device.popErrorScope();
  return buffer;
}
