/** @file Conversions between all types, and 16-bit storage. */
import { describe, expect, test } from 'vitest';
import type { DType, Tensor } from '@camada/tensor';
import { agree } from './compare.ts';
import { DEVICES, compute, type HostInput } from './devices.ts';

const SOURCES: Record<'f32' | 'i32' | 'u32' | 'bool', HostInput> = {
  f32: { data: Float32Array.of(0, 1, 0.5, 2.75, 3.999, 100.25, 7), shape: [7], dtype: 'f32' },
  i32: { data: Int32Array.of(0, 1, -5, 70_000, 3, 12, 2), shape: [7], dtype: 'i32' },
  u32: { data: Uint32Array.of(0, 1, 5, 70_000, 3, 12, 2), shape: [7], dtype: 'u32' },
  bool: { data: Uint32Array.of(0, 1, 1, 0, 1, 0, 0), shape: [7], dtype: 'bool' },
};
const TARGETS: DType[] = ['f32', 'i32', 'u32', 'bool', 'f16', 'bf16'];

/** Values whose conversion means the same everywhere: unsigned types take no negative numbers. */
function pairs(): [keyof typeof SOURCES, DType][] {
  const all = (Object.keys(SOURCES) as (keyof typeof SOURCES)[]).flatMap((from) =>
    TARGETS.map((to): [keyof typeof SOURCES, DType] => [from, to]),
  );
  return all.filter(
    ([from, to]) =>
      !(from === 'i32' && (to === 'u32' || to === 'f16')) && !(from === 'u32' && to === 'f16'),
  );
}

describe.each(DEVICES)('casts on %s', (device) => {
  test.each(pairs())('%s to %s', async (from, to) => {
    await agree(device, ([x]) => x!.cast(to), [SOURCES[from]], 0);
  });

  test('negative floats truncate toward zero as integers', async () => {
    const input = {
      data: Float32Array.of(-0.5, -1.5, -2.999, 2.999),
      shape: [4],
      dtype: 'f32' as const,
    };
    const [got] = await compute(device, ([x]) => x!.cast('i32'), [input]);
    expect([...got!.data].map((x) => x + 0)).toEqual([0, -1, -2, 2]);
  });

  test.each(['f16', 'bf16'] as const)(
    '%s rounds to nearest even, also inside a chain',
    async (dtype) => {
      const data = Float32Array.from({ length: 301 }, (_, i) => (i - 150) * 0.0437 * 1.0001);
      const input = { data, shape: [301], dtype: 'f32' as const };
      await agree(device, ([x]) => x!.cast(dtype), [input], 0);
      const law = ([x]: Tensor[]): Tensor[] => {
        const narrow = x!.cast(dtype);
        return [narrow.add(narrow), narrow.cast('f32').mul(3), narrow.reshape([7, 43]).max(0)];
      };
      await agree(device, law, [input], 1e-6);
    },
  );

  test.each([
    ['f16', [0, 0x3c00, 0xbc00, 0x0001, 0x83ff, 0x7bff, 0x7c00, 0xfc00, 0x8000]],
    ['bf16', [0, 0x3f80, 0xbf80, 0x0080, 0x7f7f, 0x7f80, 0xff80, 0x8000, 0x4049]],
  ] as const)('special bit patterns of %s are read right', async (dtype, bits) => {
    const input = { data: Uint16Array.from(bits), shape: [9], dtype };
    await agree(device, ([x]) => x!.cast('f32'), [input], 0);
  });
});
