/** @file Equality within a tolerance, with a message that says where and by how much. */
import { showShape } from '@camada/tensor';
import { compute, type DeviceName, type HostInput, type Law, type Result } from './devices.ts';

/**
 * The first element of `got` that is further from `expected` than `tolerance · (1 + |expected|)`, as text;
 * undefined when all agree. NaN equals NaN, infinities must be equal.
 */
export function difference(expected: Result, got: Result, tolerance: number): string | undefined {
  if (expected.shape.join() !== got.shape.join())
    return `shape ${showShape(got.shape)}, expected ${showShape(expected.shape)}`;
  if (expected.dtype !== got.dtype) return `dtype ${got.dtype}, expected ${expected.dtype}`;
  if (expected.data.length !== got.data.length)
    return `${got.data.length} elements, expected ${expected.data.length}`;
  for (let i = 0; i < expected.data.length; i++) {
    const [x, y] = [expected.data[i]!, got.data[i]!];
    if (!close(x, y, tolerance))
      return `element ${i} of ${showShape(got.shape)}: got ${y}, expected ${x} (tolerance ${tolerance})`;
  }
  return undefined;
}

function close(expected: number, got: number, tolerance: number): boolean {
  if (Number.isNaN(expected)) return Number.isNaN(got);
  if (!Number.isFinite(expected)) return got === expected;
  return Math.abs(got - expected) <= tolerance * (1 + Math.abs(expected));
}

/** Throws unless the device agrees with the reference on every output. */
export async function agree(
  device: DeviceName,
  law: Law,
  inputs: readonly HostInput[],
  tolerance: number,
): Promise<void> {
  const expected = await compute('reference', law, inputs);
  const got = await compute(device, law, inputs);
  for (const [i, result] of expected.entries()) {
    const wrong = difference(result, got[i]!, tolerance);
    if (wrong) throw new Error(`${device}, output ${i}: ${wrong}`);
  }
}
