/** @file The wasm back end in a page, whose main thread may not sleep: threads, and the same bits as one. */
import { expect, test } from 'vitest';
import type { Kernel } from '../../src/schedule/kernel.ts';
import { openWasm } from '../../src/backend/wasm/index.ts';
import { dense, host, numbers, reference, runWasm, worstError } from '../wasm/harness.ts';

const random = numbers(2);

function matmul(m: number, k: number, n: number): Kernel {
  return {
    kind: 'matmul',
    label: 'matmul',
    loop: [m, n],
    inner: k,
    a: { from: 0, offset: 0, batch: [], row: k, column: 1 },
    b: { from: 1, offset: 0, batch: [], row: 1, column: k },
    values: [
      { kind: 'product', dtype: 'f32' },
      { kind: 'op', op: 'tanh', dtype: 'f32', args: [0] },
    ],
    stores: [{ to: 2, at: dense([m, n]), value: 1 }],
    buffers: [0, 1, 2].map((id) => ({ id, dtype: 'f32', access: id < 2 ? 'read' : 'write' })),
  };
}

test('relaxed SIMD and threads are found', async () => {
  const backend = await openWasm({ threads: 2 });
  expect(backend.info.features).toEqual(['simd', 'relaxed-simd', 'threads']);
  backend.dispose();
});

test('one and three threads give the same bits, and the right ones', async () => {
  const [m, k, n] = [301, 100, 203];
  const kernel = matmul(m, k, n);
  const buffers = [host('f32', m * k, random), host('f32', k * n, random), host('f32', m * n)];
  const expected = reference(kernel, buffers)[2]!;
  const results = [];
  for (const threads of [1, 3]) {
    const backend = await openWasm({ threads });
    for (let i = 0; i < 30; i++) results.push((await runWasm(backend, [kernel], buffers))[2]!);
    backend.dispose();
  }
  expect(worstError(results[0]!, expected)).toBeLessThan(1e-5);
  for (const result of results) expect(worstError(result, results[0]!)).toBe(0);
});
