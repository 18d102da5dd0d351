/** @file The self-test passes on sound devices, in about a second, and names the operation that a spoilt one gets wrong. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Device, openDevice, useDevice } from '@camada/tensor';
import { selfTest } from '@camada/tensor/self-test';
import type { Backend, DeviceBuffer, Program } from '../src/backend/backend.ts';
import { currentDevice } from '../src/device.ts';

test.each(['wasm', 'webgpu', 'reference'] as const)('%s passes', async (name) => {
  const device = await openDevice(name);
  const { passed, faults, checked, maxError } = await selfTest(device);
  expect(faults).toEqual([]);
  expect(passed).toBe(true);
  expect(checked).toBeGreaterThan(120);
  expect(maxError).toBeLessThan(1e-3);
  device.dispose();
});

/** A back end whose kernels that contain an operation write their first element wrong. */
function spoilt(
  backend: Backend,
  spoils: (label: string) => boolean,
  value: (x: number) => number,
): Backend {
  const wrong = new WeakSet<DeviceBuffer>();
  const run = (
    program: Program,
    bindings: readonly (DeviceBuffer | undefined)[],
    scalars: Uint32Array,
  ): Promise<void> | undefined => {
    const { kernels, buffers } = program.plan;
    for (const kernel of kernels.filter(({ label }) => spoils(label)))
      for (const { id, access } of kernel.buffers)
        if (access !== 'read' && buffers[id]!.role === 'output') wrong.add(bindings[id]!);
    return backend.run(program, bindings, scalars);
  };
  const read: Backend['read'] = async (buffer) => {
    const data = await backend.read(buffer);
    if (wrong.has(buffer) && data.length > 0) data[0] = value(data[0]!);
    return data;
  };
  return new Proxy(backend, {
    get(target, key) {
      if (key === 'run') return run;
      if (key === 'read') return read;
      const found: unknown = Reflect.get(target, key, target);
      return typeof found === 'function' ? (found.bind(target) as unknown) : found;
    },
  });
}

describe('a device that computes wrongly', () => {
  let sound: Device;
  beforeAll(async () => {
    sound = await openDevice('wasm', { threads: 1 });
  });
  afterAll(() => sound.dispose());

  test.each([
    ['tanh', 0.25],
    ['matmul', 1],
    ['erf', NaN],
    ['sqrt', 3],
    ['xor', 1],
  ])('%s is named, and by how much it is off', async (op, by) => {
    const device = new Device(
      spoilt(
        sound.backend,
        (label) => new RegExp(`(^|\\+)${op}[[+]`).test(label),
        (x) => x + by,
      ),
    );
    const { passed, faults } = await selfTest(device, { milliseconds: 5000 });
    expect(passed).toBe(false);
    expect(faults.length).toBeLessThan(20);
    const fault = faults.find((found) => found.op === op)!;
    expect(fault.error).toBeGreaterThan(fault.bound);
    expect(fault.error).toBeLessThanOrEqual(Number.isNaN(by) ? Infinity : by);
    expect(fault.detail).toContain(op);
  });

  test('a device that fails is a fault, not an exception; the current device stays', async () => {
    const current = await openDevice('wasm', { threads: 1 });
    useDevice(current);
    const gone = await openDevice('wasm', { threads: 1 });
    gone.dispose();
    const { passed, faults } = await selfTest(gone);
    expect(passed).toBe(false);
    expect(faults[0]!.detail).toMatch(/disposed/);
    expect(currentDevice()).toBe(current);
    current.dispose();
  });
});
