/**
 * @file Small devices: WebGPU's default limits, tiny bindings, few workgroups, little workgroup memory. Every operation
 * gives the right result there, by splitting, or says which limit is in the way.
 */
import { afterAll, beforeAll, describe, test } from 'vitest';
import { Device, useDevice } from '@camada/tensor';
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
