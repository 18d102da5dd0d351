/** @file Kernel to code, by kind; and the text that two kernels share when their code is the same. */
import type { Kernel } from '../../schedule/kernel.ts';
import type { KernelCode } from './kernel-function.ts';
import { mapCode } from './map.ts';
import { matmulCode } from './matmul.ts';
import { normalize } from './normalize.ts';
import { rowCode } from './row.ts';
import { scatterCode } from './scatter.ts';
import { sortCode } from './sort.ts';

/** Code for a normalised kernel. */
export function generate(kernel: Kernel, relaxed: boolean): KernelCode {
  if (kernel.kind === 'map') return mapCode(kernel, relaxed);
  if (kernel.kind === 'row') return rowCode(kernel, relaxed);
  if (kernel.kind === 'matmul') return matmulCode(kernel, relaxed);
  return kernel.kind === 'sort' ? sortCode(kernel, relaxed) : scatterCode(kernel, relaxed);
}

/** JSON has no infinities and no −0. */
function exact(_key: string, value: unknown): unknown {
  if (typeof value !== 'number') return value;
  return Number.isFinite(value) && !Object.is(value, -0)
    ? value
    : `#${1 / value < 0 ? '-' : ''}${value}`;
}

/** The kernel over as few axes as possible, and all that its code depends on as text. */
export function keyed(kernel: Kernel): { readonly kernel: Kernel; readonly key: string } {
  const small = normalize(kernel);
  const buffers = small.buffers.map(({ dtype }) => dtype);
  return { kernel: small, key: JSON.stringify({ ...small, buffers, label: '' }, exact) };
}
