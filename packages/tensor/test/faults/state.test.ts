/**
 * @file Errors that leave a device in an unknown state, and devices that go away: typed errors at the next read that say
 * what happened and what to do, never zeros; a device opened anew works in the same process.
 */
import { afterEach, expect, test } from 'vitest';
import {
  Device,
  DeviceError,
  openDevice,
  realize,
  resetDevice,
  tensor,
  useDevice,
  type Tensor,
} from '@camada/tensor';
import { openWebGPU } from '../../src/backend/webgpu/index.ts';
import { currentDevice } from '../../src/device.ts';
import { faultyDevice } from './faulty.ts';

afterEach(() => currentDevice()?.dispose());

async function open(): Promise<GPUDevice> {
  const { device } = await faultyDevice();
  useDevice(new Device(await openWebGPU({ device })));
  return device;
}

/** One step of gradient descent on a parameter, the loss returned. */
function step(p: Tensor, x: Tensor): Tensor {
  const loss = x.matmul(p).square().sum();
  p.assign(p.sub(x.transpose().matmul(x.matmul(p)).mul(0.01)));
  return loss;
}

function parameter(): Tensor {
  return tensor(new Float32Array(64).fill(1), [16, 4]);
}

function batch(): Tensor {
  return tensor(new Float32Array(128).fill(0.1), [8, 16]);
}

test('a device destroyed in the middle of a step', async () => {
  const gpu = await open();
  const [p, x] = [parameter(), batch()];
  expect(await step(p, x).item()).toBeGreaterThan(0);
  const loss = step(p, x);
  const reading = loss.item();
  gpu.destroy();
  await expect(reading).rejects.toThrow(DeviceError);
  await expect(p.data()).rejects.toThrow(/device was lost.*resetDevice\(\).*last checkpoint/);
  await expect(step(p, x).item()).rejects.toThrow(/device was lost/);
});

test('after a loss the device opens anew; what only the old one held is said to be lost', async () => {
  useDevice(await openDevice('webgpu'));
  const lost = currentDevice()!;
  const p = parameter();
  await step(p, batch()).item();
  const unused = parameter();
  lost.dispose();
  const opened = await resetDevice();
  expect(opened).not.toBe(lost);
  expect(opened.info.adapter).toBe(lost.info.adapter);
  expect(currentDevice()).toBe(opened);
  await expect(p.data()).rejects.toThrow(/content is lost.*last checkpoint/);
  expect((await unused.data())[63]).toBe(1);
  expect(await step(unused, batch()).item()).toBeGreaterThan(0);
});

test('resetDevice opens the same kind of device', async () => {
  useDevice(await openDevice('wasm', { threads: 1 }));
  const adapter = currentDevice()!.info.adapter;
  expect((await resetDevice()).info.adapter).toBe(adapter);
});

test('an error outside the engine poisons it, with its reason, until the device is opened anew', async () => {
  const gpu = await open();
  const [p, x] = [parameter(), batch()];
  await realize([p]);
  gpu.createBindGroup({
    layout: gpu.createBindGroupLayout({ entries: [] }),
    entries: [{ binding: 3, resource: { buffer: gpu.createBuffer({ size: 4, usage: 8 }) } }],
  });
  await expect(step(p, x).item()).rejects.toThrow(/reported an error.*unknown.*resetDevice\(\)/);
  expect(currentDevice()!.failure).toBeInstanceOf(DeviceError);
  await expect(p.data()).rejects.toThrow(DeviceError);
  await expect(realize([x.add(1)])).rejects.toThrow(DeviceError);
});

test('a dispatch that the device drops is an error with the name of the kernel, not a result of zeros', async () => {
  const { device, real } = await faultyDevice();
  const spoilt = new Proxy(device, {
    get(target, key) {
      if (key !== 'createComputePipeline') return Reflect.get(target, key) as unknown;
      return (descriptor: GPUComputePipelineDescriptor) => {
        const module = real.createShaderModule({
          label: descriptor.label!,
          code: '@compute @workgroup_size(1) fn other() {}',
        });
        return real.createComputePipeline({
          ...descriptor,
          compute: { module, entryPoint: 'main' },
        });
      };
    },
  });
  useDevice(new Device(await openWebGPU({ device: spoilt })));
  const y = tensor([1, 2, 3]).exp().add(1);
  await expect(y.data()).rejects.toThrow(/refused kernel add\[3\].*unknown.*resetDevice/);
  await expect(y.data()).rejects.toThrow(DeviceError);
});

test('a submit that the device drops is an error, not a result of zeros', async () => {
  const gpu = await open();
  const x = tensor([1, 2, 3]);
  await realize([x, x.add(1)]);
  const destroyed = gpu.createBuffer({ size: 16, usage: 0x80 | 0x08 });
  destroyed.destroy();
  const encoder = gpu.createCommandEncoder({ label: 'copy of a destroyed buffer' });
  encoder.clearBuffer(destroyed);
  gpu.queue.submit([encoder.finish()]);
  await expect(x.add(2).data()).rejects.toThrow(/reported an error.*destroyed/);
});
