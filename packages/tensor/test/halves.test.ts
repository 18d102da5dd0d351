/** @file Conversion of whole arrays equals that of single elements in all bits. */
import { expect, test } from 'vitest';
import { fromBf16, fromF16, narrowHalves, toBf16, toF16, widenHalves } from '@camada/tensor';

const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);

test('every 16-bit pattern is widened as alone', () => {
  expect(widenHalves(patterns, 'f16')).toEqual(Float32Array.from(patterns, fromF16));
  expect(widenHalves(patterns, 'bf16')).toEqual(Float32Array.from(patterns, fromBf16));
});

test('values are narrowed as alone: every pattern, every tie, and their neighbours', () => {
  for (const [type, widen, narrow] of [
    ['f16', fromF16, toF16],
    ['bf16', fromBf16, toBf16],
  ] as const) {
    const exact = Float32Array.from(patterns, widen);
    const bits = new Uint32Array(exact.buffer);
    // Half a step of an f16 is bit 12 of an f32, of a bf16 bit 15.
    const tie = type === 'f16' ? 1 << 12 : 1 << 15;
    for (const shift of [0, 1, -1, tie, tie - 1, tie + 1, -tie, -tie + 1]) {
      const values = new Float32Array(bits.map((b) => b + shift).buffer);
      const alone = Uint16Array.from(values, (value) => narrow(value));
      const together = narrowHalves(values, type);
      const wrong = together.findIndex((b, i) => b !== alone[i] && !Number.isNaN(values[i]!));
      expect([type, shift, wrong, values[wrong]]).toEqual([type, shift, -1, undefined]);
      for (const [i, value] of values.entries())
        if (Number.isNaN(value)) expect(widen(together[i]!)).toBeNaN();
    }
  }
});
