/** @file The block allocator, and misuse of the back end: typed errors, never silent damage. */
import { expect, test } from 'vitest';
import { DeviceError } from '../../src/errors.ts';
import { MemoryPool } from '../../src/backend/wasm/memory.ts';
import { openWasm } from '../../src/backend/wasm/index.ts';
import { host, numbers, planOf } from './harness.ts';

const MIB = 2 ** 20;

test('blocks never overlap, are aligned, and come back whole', () => {
  const pool = new MemoryPool(256 * MIB, false);
  const random = numbers(4);
  const held = new Map<number, number>();
  for (let i = 0; i < 4000; i++) {
    if (held.size > 40 || (held.size > 0 && random() > 0.2)) {
      const address = [...held.keys()][Math.floor(((random() + 1) / 2) * held.size)]!;
      pool.free(address);
      held.delete(address);
      continue;
    }
    const size = Math.floor((random() + 1) * 50_000);
    const address = pool.allocate(size);
    expect(address % 64).toBe(0);
    expect(address).toBeGreaterThan(0);
    for (const [other, length] of held)
      expect(address + size <= other || other + length <= address).toBe(true);
    held.set(address, size);
  }
  for (const address of held.keys()) pool.free(address);
  const { live, pooled, peak } = pool.use();
  expect(live).toBe(0);
  // All free neighbours were joined: the whole pool is one block again.
  const whole = pool.allocate(pooled);
  expect(pool.use().pooled).toBe(0);
  expect(pool.use().peak).toBe(peak);
  pool.free(whole);
});

test('a refused allocation says what was asked and what is there', () => {
  const pool = new MemoryPool(64 * MIB, false);
  const address = pool.allocate(40 * MIB);
  expect(() => pool.allocate(40 * MIB)).toThrow(DeviceError);
  expect(() => pool.allocate(40 * MIB)).toThrow(/40.0 MiB more do not fit.*limit is 64.0 MiB/);
  pool.free(address);
  expect(pool.allocate(40 * MIB)).toBe(address);
});

test('a run that does not fit leaves the device usable', async () => {
  const backend = await openWasm({ threads: 1, maxBytes: 64 * MIB });
  const before = backend.memory().live;
  const plan = planOf([], []);
  const scratch = { role: 'scratch' as const, index: 0, size: 5 * MIB, dtype: 'f32' as const };
  const program = backend.compile({ ...plan, buffers: [scratch, scratch, scratch, scratch] });
  const none = new Uint32Array(0);
  expect(() => backend.run(program, [], none)).toThrow(DeviceError);
  program.dispose();
  expect(backend.memory().live).toBe(before);
  backend.dispose();
});

test('misuse of buffers is named', async () => {
  const backend = await openWasm({ threads: 1 });
  const buffer = backend.allocate(4, 'f32');
  expect(() => backend.write(buffer, new Float32Array(5))).toThrow(
    /write of 5 elements .* of 4 f32/,
  );
  backend.free(buffer);
  expect(() => backend.free(buffer)).toThrow(/after it was freed/);
  await expect(backend.read(buffer)).rejects.toThrow(/after it was freed/);
  const program = backend.compile(planOf([], [host('f32', 8)]));
  const none = new Uint32Array(0);
  expect(() => backend.run(program, [undefined], none)).toThrow(/not bound/);
  expect(() => backend.run(program, [backend.allocate(4, 'f32')], none)).toThrow(
    /is 8 f32, bound to 4/,
  );
  await expect(openWasm({ threads: 0 })).rejects.toThrow(/threads must be an integer from 1 to 64/);
  backend.dispose();
  expect(() => backend.allocate(1, 'f32')).toThrow(/disposed/);
});

test('reads are copies, and empty buffers are fine', async () => {
  const backend = await openWasm({ threads: 1 });
  const buffer = backend.allocate(3, 'i32');
  void backend.write(buffer, Int32Array.of(1, 2, 3));
  const first = await backend.read(buffer);
  void backend.write(buffer, Int32Array.of(4, 5, 6));
  expect([...first]).toEqual([1, 2, 3]);
  const empty = backend.allocate(0, 'f32');
  void backend.write(empty, new Float32Array(0));
  expect((await backend.read(empty)).length).toBe(0);
  backend.dispose();
});

test('awaiting results lets other tasks of the event loop run', async () => {
  const backend = await openWasm({ threads: 1 });
  const buffer = backend.allocate(1, 'f32');
  let turned = false;
  setImmediate(() => (turned = true));
  for (let i = 0; i < 40; i++) await backend.read(buffer);
  expect(turned).toBe(true);
  backend.dispose();
});
