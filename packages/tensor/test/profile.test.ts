/** @file `CAMADA_PROFILE`: the same numbers, every kernel in the table and in the trace. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { openDevice, tensor, useDevice } from '@camada/tensor';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

async function logits(): Promise<{ values: number[]; kernels: number }> {
  const device = await openDevice('wasm', { threads: 1 });
  useDevice(device);
  const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
  const y = x.matmul(x.transpose()).gelu().softmax(-1).matmul(x);
  const values = Array.from(await y.data(), Number);
  const { kernels } = device.counters;
  device.dispose();
  return { values, kernels };
}

test('a profiled device computes the same, and tells each kernel', async () => {
  const plain = await logits();
  const folder = mkdtempSync(join(tmpdir(), 'camada-profile-'));
  const path = join(folder, 'trace.json');
  vi.stubEnv('CAMADA_PROFILE', path);
  const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const profiled = await logits();
  const { traceEvents } = JSON.parse(readFileSync(path, 'utf8')) as {
    traceEvents: { name: string; dur: number }[];
  };
  rmSync(folder, { recursive: true });
  expect(profiled).toEqual(plain);
  expect(traceEvents).toHaveLength(plain.kernels);
  expect(traceEvents[0]!.name).toMatch(/^matmul .*K 3\)$/);
  expect(said).toHaveBeenCalledOnce();
  for (const { name } of traceEvents) expect(said.mock.calls[0]![0]).toContain(name);
});
