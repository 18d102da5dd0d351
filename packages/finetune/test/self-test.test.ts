/** @file The doctor's self-test passes on a sound device and fails on one that computes wrongly. */
import { expect, test } from 'vitest';
import { Device, openDevice, type TypedArray } from '@camada/tensor';
import { selfTest } from '../src/doctor/self-test.ts';

test('wasm passes', async () => {
  const sound = await openDevice('wasm', { threads: 1 });
  const { passed, maxError, failed } = await selfTest(sound);
  expect({ passed, failed }).toEqual({ passed: true, failed: [] });
  expect(maxError).toBeGreaterThan(0);
  expect(maxError).toBeLessThan(1e-4);
  sound.dispose();
});

test.each([
  ['one element is a little off', (data: TypedArray) => void (data[5] = data[5]! + 0.1)],
  ['one element is NaN', (data: TypedArray) => void (data[7] = Number.NaN)],
])('fails where %s', async (_name, spoil) => {
  const { backend } = await openDevice('reference');
  const spoilt = new Proxy(backend, {
    get(target, key) {
      if (key !== 'read') {
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return async (buffer: Parameters<typeof target.read>[0]) => {
        const data = await target.read(buffer);
        spoil(data);
        return data;
      };
    },
  });
  const { passed, failed } = await selfTest(new Device(spoilt));
  expect(passed).toBe(false);
  expect(failed).toContain('matmul');
});
