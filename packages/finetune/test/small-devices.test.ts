/** @file A fine-tuning run is the same on devices that can do little: WebGPU's default limits, bindings of a few kilobytes. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Device, openDevice, useDevice } from '@camada/tensor';
import { openWebGPU, type WebGPUOptions } from '../../tensor/src/backend/webgpu/index.ts';
import { finetune, loadModel } from '../src/index.ts';
import { sentences, temporaryFolder, tinyBert } from './tiny.ts';

let root = '';
let folder = '';
let expected: number[] = [];

/** Losses and gradient norms of two steps. */
async function losses(device: Device): Promise<number[]> {
  useDevice(device);
  const rows = sentences(32, 11);
  const lines = rows.map((_, i) => i + 1);
  const train = { name: 'train', columns: Object.keys(rows[0]!), rows, lines };
  const { history } = await finetune(await loadModel(folder), {
    data: { train, text: 'text', label: 'label' },
    method: { type: 'full' },
    layers: 'all',
    batchSize: 8,
    maxSteps: 2,
    samples: 0,
  });
  device.dispose();
  return history.flatMap(({ loss, gradientNorm }) => [loss, gradientNorm]);
}

beforeAll(async () => {
  root = temporaryFolder();
  folder = await tinyBert(join(root, 'bert'));
  expected = await losses(await openDevice('wasm', { threads: 1 }));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test.each<[string, WebGPUOptions]>([
  ['default limits', { limits: 'default' }],
  ['bindings of 4 KiB', { facts: { bindingBytes: 4096 } }],
])(
  '%s',
  async (_name, options) => {
    const found = await losses(new Device(await openWebGPU(options)));
    expect(found).toHaveLength(4);
    found.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 3));
  },
  120_000,
);
