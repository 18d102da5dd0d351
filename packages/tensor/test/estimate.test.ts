import { expect, test } from 'vitest';
import { estimate, memory, openDevice, randomNormal, realize, useDevice } from '../src/index.ts';

const target = await openDevice('wasm');
useDevice(target);

test('an estimate counts the products and the memory of a run that has not happened', async () => {
  const key = [1, 2] as const;
  const [x, w, v] = [
    randomNormal([64, 128], key),
    randomNormal([128, 96], key),
    randomNormal([96, 8], key),
  ];
  await realize([x, w, v]);
  const { kernels } = target.counters;
  const hidden = x.matmul(w).softmax(-1); // [64, 96]
  const result = hidden.matmul(v); // [64, 8]
  const cost = estimate([result], target.backend.scheduleLimits);
  expect(target.counters.kernels).toBe(kernels);
  expect(cost.flops).toBe(2 * 64 * 96 * 128 + 2 * 64 * 8 * 96);
  expect(cost.outputBytes).toBe(64 * 8 * 4);
  expect(cost.scratchBytes).toBeGreaterThanOrEqual(64 * 96 * 4);
  const before = (await memory()).live;
  await realize([result]);
  expect(target.counters.kernels - kernels).toBe(cost.kernels);
  expect((await memory()).live - before).toBeGreaterThanOrEqual(cost.outputBytes);
});
