/**
 * @file Small devices: WebGPU's default limits, tiny bindings, few workgroups, little workgroup memory. Every operation
 * gives the right result there, by splitting, or says which limit is in the way.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Device, openDevice, useDevice } from '@camada/tensor';
import { openWebGPU, type WebGPUOptions } from '../../src/backend/webgpu/index.ts';
import { Draw } from '@camada/tensor/catalogue';
import { ROWS, runCase } from '../laws/cases.ts';

const SMALL: readonly [string, WebGPUOptions, number][] = [
  ["WebGPU's default limits", { limits: 'default' }, 512],
  ['bindings of 4 KiB', { facts: { bindingBytes: 4096 } }, 4096],
  ['two buffers a kernel and their scalars', { facts: { storageBuffers: 5 } }, 512],
];

describe.each(SMALL)('%s', (_name, options, largest) => {
  let device: Device;
  beforeAll(async () => {
    device = new Device(await openWebGPU(options));
    useDevice(device);
  });
  afterAll(() => device.dispose());

  test.each(ROWS)('$name of $dtype', async (row) => {
    await runCase(row, Draw.seeded(1, largest));
  });
});

describe('CAMADA_WEBGPU_LIMITS', () => {
  afterEach(() => {
    delete process.env['CAMADA_WEBGPU_LIMITS'];
  });

  test('asks for the default limits, unless the caller says otherwise', async () => {
    process.env['CAMADA_WEBGPU_LIMITS'] = 'default';
    const small = await openDevice('webgpu');
    const large = await openDevice('webgpu', { limits: 'adapter' });
    const bytes = ({ info }: Device): number => info.limits['maxStorageBufferBindingSize']!;
    expect(bytes(small)).toBe(2 ** 27);
    expect(small.info.limits['maxStorageBuffersPerShaderStage']).toBe(8);
    expect(bytes(large)).toBeGreaterThanOrEqual(bytes(small));
    [small, large].forEach((device) => device.dispose());
  });

  test('another word is refused', async () => {
    process.env['CAMADA_WEBGPU_LIMITS'] = 'tiny';
    await expect(openDevice('webgpu')).rejects.toThrow(/"tiny".*adapter or default/);
  });
});
