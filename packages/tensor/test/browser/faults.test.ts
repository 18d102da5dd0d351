/** @file Faults in the browser: default limits, a lost device, an error that no scope catches, the self-test. */
import { afterEach, expect, test } from 'vitest';
import { Device, DeviceError, openDevice, realize, tensor, useDevice } from '@camada/tensor';
import { selfTest } from '@camada/tensor/self-test';
import { openWebGPU } from '../../src/backend/webgpu/index.ts';

const devices: Device[] = [];
afterEach(() => devices.splice(0).forEach((device) => device.dispose()));

function use(device: Device): Device {
  devices.push(device);
  useDevice(device);
  return device;
}

async function own(): Promise<GPUDevice> {
  const adapter = (await navigator.gpu.requestAdapter())!;
  const gpu = await adapter.requestDevice();
  use(new Device(await openWebGPU({ device: gpu })));
  return gpu;
}

test('default limits, bindings of 4 KiB', async () => {
  use(new Device(await openWebGPU({ limits: 'default', facts: { bindingBytes: 4096 } })));
  const x = tensor(
    Float32Array.from({ length: 6000 }, (_, i) => i % 7),
    [60, 100],
  );
  const y = x.matmul(x.transpose()).sum(0);
  const columns = Array.from({ length: 100 }, (_, k) => {
    let sum = 0;
    for (let i = 0; i < 60; i++) sum += (i * 100 + k) % 7;
    return sum;
  });
  const expected = columns.reduce((sum, column, k) => sum + column * (k % 7), 0);
  expect((await y.data())[0]).toBeCloseTo(expected, 0);
});

test('a device destroyed with work in flight', async () => {
  const gpu = await own();
  const x = tensor(new Float32Array(1000).fill(1));
  await realize([x.mul(2)]);
  const reading = x.exp().sum().data();
  gpu.destroy();
  await expect(reading).rejects.toThrow(DeviceError);
  await expect(x.data()).rejects.toThrow(/device was lost.*resetDevice/);
});

test('an error that no scope catches', async () => {
  const gpu = await own();
  const x = tensor([1, 2, 3]);
  await realize([x.mul(2)]);
  gpu.createBuffer({ size: 16, usage: 0 });
  await expect(x.add(1).data()).rejects.toThrow(/reported an error.*resetDevice/);
});

test.each(['wasm', 'webgpu'] as const)('the self-test passes on %s', async (name) => {
  const { passed, faults } = await selfTest(use(await openDevice(name)));
  expect(faults).toEqual([]);
  expect(passed).toBe(true);
});
