/** @file A run whose device goes away says at which step, and a new run works on a device opened anew. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Device, DeviceError, device, resetDevice, useDevice } from '@camada/tensor';
import { faultyDevice } from '../../tensor/test/faults/faulty.ts';
import { openWebGPU } from '../../tensor/src/backend/webgpu/index.ts';
import { finetune, loadModel, type RunEvent } from '../src/index.ts';
import { sentences, temporaryFolder, tinyBert } from './tiny.ts';

let root = '';
let folder = '';
beforeAll(async () => {
  root = temporaryFolder();
  folder = await tinyBert(join(root, 'bert'));
});
afterAll(async () => {
  (await device()).dispose();
  rmSync(root, { recursive: true, force: true });
});

const rows = sentences(32, 11);
const table = {
  name: 'train',
  columns: Object.keys(rows[0]!),
  rows,
  lines: rows.map((_, i) => i + 1),
};
const options = {
  data: { train: table, text: 'text', label: 'label' },
  method: { type: 'lora' },
  layers: [1],
  batchSize: 4,
  samples: 0,
} as const;

test('training says after which step the device was lost; a new device trains', async () => {
  const { device: gpu } = await faultyDevice();
  useDevice(new Device(await openWebGPU({ device: gpu })));
  let steps = 0;
  const onEvent = (event: RunEvent): void => {
    if (event.type === 'step' && ++steps === 2) gpu.destroy();
  };
  const running = finetune(await loadModel(folder), { ...options, maxSteps: 6, onEvent });
  await expect(running).rejects.toThrow(DeviceError);
  await expect(running).rejects.toThrow(
    /^Training stopped after [2-4] of 6 steps: .*device was lost.*last checkpoint/,
  );
  expect(steps).toBeLessThan(6);
  await resetDevice();
  const run = await finetune(await loadModel(folder), { ...options, maxSteps: 2 });
  expect(run.history).toHaveLength(2);
}, 120_000);
