/**
 * @file Memory that a WebGPU device refuses: once (the pool is emptied and it is asked again), or for good (a typed error;
 * nothing of the run happened, nothing was assigned, and everything goes on).
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  capture,
  Device,
  DeviceError,
  realize,
  tensor,
  useDevice,
  type Tensor,
} from '@camada/tensor';
import { openWebGPU } from '../../src/backend/webgpu/index.ts';
import { faultyDevice, type Faults } from './faulty.ts';

const MIB = 2 ** 20;
let device: Device;
let faults: Faults;

beforeEach(async () => {
  const faulty = await faultyDevice();
  faults = faulty.faults;
  device = new Device(await openWebGPU({ device: faulty.device }));
  useDevice(device);
});
afterEach(() => device.dispose());

const large = ({ size }: GPUBufferDescriptor): boolean => size >= MIB;

test('a large result that is refused: a typed error with sizes, and the device works on', async () => {
  const x = tensor(new Float32Array(1024).fill(1), [1024, 1]);
  expect((await x.sum().data())[0]).toBe(1024);
  const live = device.memory().live;
  faults.refuses = large;
  const product = x.matmul(x.transpose());
  await expect(product.data()).rejects.toThrow(DeviceError);
  await expect(product.add(1).data()).rejects.toThrow(
    /refused 4 MiB of memory, twice.*smaller batch/,
  );
  expect(device.failure).toBeUndefined();
  expect((await x.add(1).sum().data())[0]).toBe(2048);
  expect(device.memory().live).toBeLessThanOrEqual(live + 64);
  faults.refuses = () => false;
  expect((await product.sum().data())[0]).toBe(MIB);
  expect((await product.data())[MIB - 1]).toBe(1);
});

test('refused once: idle memory is given back, and the run succeeds', async () => {
  const x = tensor(new Float32Array(2 * MIB).fill(2));
  const first = x.mul(2);
  await realize([first]);
  first.dispose();
  expect(device.memory().pooled).toBeGreaterThanOrEqual(8 * MIB);
  faults.refuses = (buffer) => large(buffer) && faults.refused === 0;
  const y = tensor(new Float32Array(3 * MIB).fill(3));
  expect((await y.mul(2).data())[5]).toBe(6);
  expect(faults.refused).toBe(1);
  expect((await x.sum().data())[0]).toBe(4 * MIB);
});

test('a refused upload keeps the host copy', async () => {
  faults.refuses = large;
  const x = tensor(new Float32Array(MIB).fill(3));
  await expect(x.sum().data()).rejects.toThrow(/refused/);
  faults.refuses = () => false;
  expect((await x.sum().data())[0]).toBe(3 * MIB);
});

test('a refused read-back is an error of that read alone', async () => {
  const x = tensor(new Float32Array(MIB).fill(3));
  await realize([x]);
  const y = x.add(1);
  await realize([y]);
  const mappable = 1;
  faults.refuses = ({ usage }) => (usage & mappable) !== 0;
  await expect(y.data()).rejects.toThrow(/refused 4 MiB/);
  faults.refuses = () => false;
  expect((await y.data())[7]).toBe(4);
});

test('a step that is refused assigns nothing, nor do the steps behind it', async () => {
  const p = tensor(new Float32Array(MIB).fill(1));
  const q = tensor(new Float32Array(4).fill(1));
  const step = async (): Promise<void> => {
    p.assign(p.mul(2));
    q.assign(q.add(p.slice(0, 0, 4)));
    await realize([p, q]);
  };
  await step();
  const other = tensor(new Float32Array(MIB).fill(5));
  faults.refuses = large;
  p.assign(p.add(other).reshape([1024, 1024]).transpose().reshape([MIB]));
  const refused = realize([p]);
  q.assign(q.mul(10));
  const behind = realize([q]);
  await expect(refused).rejects.toThrow(DeviceError);
  await expect(behind).rejects.toThrow(DeviceError);
  faults.refuses = () => false;
  expect([(await p.data())[0], ...(await q.data())]).toEqual([2, 3, 3, 3, 3]);
  await step();
  expect([(await p.data())[0], ...(await q.data())]).toEqual([4, 7, 7, 7, 7]);
});

test('a captured step that is refused assigns nothing, and runs again afterwards', async () => {
  const p = tensor(new Float32Array(8).fill(1));
  const wide = tensor(new Float32Array(MIB).fill(1));
  const step = capture((x: Tensor) => {
    p.assign(p.add(1));
    return x.mul(p.sum()).add(1);
  });
  await (await step(wide)).sum().data();
  faults.refuses = ({ size }) => size > 4 * MIB;
  const refused = await step(tensor(new Float32Array(2 * MIB).fill(1)));
  await expect(refused.data()).rejects.toThrow(/refused/);
  faults.refuses = () => false;
  expect((await p.data())[0]).toBe(2);
  expect((await (await step(wide)).data())[3]).toBe(25);
});

test('an array may change as soon as the run that uploads it is enqueued', async () => {
  const data = new Float32Array(MIB).fill(1);
  const sum = tensor(data).sum().data();
  data.fill(7);
  expect((await sum)[0]).toBe(MIB);
});
