/** @file Faults of the wasm back end: memory that is not there, and kernels that stop in the middle of a run. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Device, DeviceError, openDevice, realize, tensor, useDevice, zeros } from '@camada/tensor';
import { SoloCrew } from '../../src/backend/wasm/crew.ts';
import { WasmBackend } from '../../src/backend/wasm/device.ts';
import { MemoryPool } from '../../src/backend/wasm/memory.ts';

const MIB = 2 ** 20;

describe('64 MiB of memory', () => {
  let device: Device;
  beforeEach(async () => {
    device = await openDevice('wasm', { threads: 1, maxBytes: 64 * MIB });
    useDevice(device);
  });
  afterEach(() => device.dispose());

  test('a result, an upload and scratch that do not fit are errors with sizes; all goes on', async () => {
    const x = tensor(new Float32Array(4 * MIB).fill(1));
    await realize([x, x.add(1)]);
    const live = device.memory().live;
    const message = /MiB more do not fit.*in use.*free.*limit is 64.0 MiB.*Nothing.*smaller batch/;
    await expect(x.expand([8, x.size]).mul(2).data()).rejects.toThrow(message);
    await expect(
      tensor(new Float32Array(20 * MIB))
        .sum()
        .data(),
    ).rejects.toThrow(DeviceError);
    await expect(
      x
        .reshape([2048, 2048])
        .matmul(zeros([2048, 8192]))
        .softmax()
        .sum()
        .data(),
    ).rejects.toThrow(message);
    expect(device.memory().live).toBeLessThan(live + MIB);
    expect((await x.sum().data())[0]).toBe(4 * MIB);
  });

  test('a step that does not fit assigns nothing', async () => {
    const p = tensor(new Float32Array(4 * MIB).fill(1));
    const q = tensor([1, 2]);
    await realize([p.add(0)]);
    q.assign(q.mul(2));
    p.assign(
      p
        .add(p.expand([8, p.size]).exp().sum(1).sum())
        .reshape([2, 2 * MIB])
        .softmax(0)
        .reshape([p.size])
        .add(tensor(new Float32Array(9 * MIB)).sum()),
    );
    await expect(p.data()).rejects.toThrow(DeviceError);
    expect([(await p.data())[0], ...(await q.data())]).toEqual([1, 1, 2]);
  });
});

test('a kernel that stops in the middle of a run poisons the device and says so', async () => {
  const pool = new MemoryPool(64 * MIB, false);
  const crew = new SoloCrew(pool);
  const run = crew.run.bind(crew);
  let left = Infinity;
  crew.run = (...work: Parameters<typeof run>) => {
    if (--left < 0) throw new WebAssembly.RuntimeError('unreachable');
    run(...work);
  };
  const device = new Device(new WasmBackend({ pool, crew, relaxed: false }));
  useDevice(device);
  const p = tensor([1, 2, 3]);
  await realize([p.add(1)]);
  left = 1;
  p.assign(p.mul(2));
  await expect(p.unsqueeze(0).softmax().matmul(p.unsqueeze(1)).sum().data()).rejects.toThrow(
    /kernel .* failed.*unreachable.*unknown.*resetDevice\(\)/,
  );
  expect(device.failure).toBeInstanceOf(DeviceError);
  left = Infinity;
  await expect(p.data()).rejects.toThrow(/failed.*resetDevice/);
  device.dispose();
});

test.each([0, -1, NaN, 2 ** 33])('%d bytes of memory are refused', async (maxBytes) => {
  await expect(openDevice('wasm', { maxBytes })).rejects.toThrow(/maxBytes must be from 64 MiB/);
});

test('code that the engine refuses is an error with the kernels; where it takes none, with what is needed', async () => {
  const pool = new MemoryPool(64 * MIB, false);
  const crew = new SoloCrew(pool);
  const device = new Device(new WasmBackend({ pool, crew, relaxed: false }));
  useDevice(device);
  crew.addModule = () => {
    throw new WebAssembly.CompileError('not this one');
  };
  const x = tensor([1, 2, 3]);
  await expect(x.exp().data()).rejects.toThrow(/refused the code of exp\[3\].*not this one/);
  await expect(x.exp().data()).rejects.toThrow(DeviceError);
  expect([...(await x.data())]).toEqual([1, 2, 3]);
  expect(() => new WasmBackend({ pool, crew, relaxed: false })).toThrow(/SIMD.*wasm-unsafe-eval/);
  device.dispose();
});
