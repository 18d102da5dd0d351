/**
 * @file Kernel to WGSL: chooses the variant that suits the device and writes it.
 */
import type { Kernel, MatmulKernel } from '../../../schedule/kernel.ts';
import { sizeOf } from '../../../shape.ts';
import { ceilDiv, type AdapterFacts, type Shader } from './facts.ts';
import { mapBody } from './map.ts';
import { matmulBody, sizesOf, type Tile } from './matmul.ts';
import { asRows } from './matvec.ts';
import { rowBody } from './row.ts';
import { scatterBody } from './scatter.ts';
import { sortBody } from './sort.ts';
import { assemble, type Body } from './shell.ts';
import { tiledBody, tiledBytes } from './tiled.ts';

/** Multiply-adds above which larger tiles repay their slow compilation on a software adapter. */
const WORTH_LARGE_TILES = { tall: 2 ** 20, square: 2 ** 22 } as const;

/** The shader of a kernel. */
export function generate(kernel: Kernel, facts: AdapterFacts): Shader {
  return assemble(bodyOf(kernel, facts), facts);
}

function bodyOf(kernel: Kernel, facts: AdapterFacts): Body {
  switch (kernel.kind) {
    case 'map':
      return mapBody(kernel, facts);
    case 'row':
      return rowBody(kernel, facts);
    case 'scatter':
      return scatterBody(kernel, facts);
    case 'sort':
      return sortBody(kernel, facts);
    case 'matmul':
      return matmulOf(kernel, facts);
  }
}

function matmulOf(kernel: MatmulKernel, facts: AdapterFacts): Body {
  const { batch, m, n } = sizesOf(kernel);
  const results = sizeOf(batch) * m * n;
  if (wantsRows(kernel, results, facts)) return rowBody(asRows(kernel), facts);
  const micro = facts.cpu ? undefined : gpuMicro(sizeOf(batch), m, n, facts);
  if (micro !== undefined) return tiledBody(kernel, micro);
  return matmulBody(kernel, registerTile(kernel, results, facts));
}

/** Few results and a long sum. */
function wantsRows(kernel: MatmulKernel, results: number, facts: AdapterFacts): boolean {
  if (facts.cpu) return results <= 64 && kernel.inner >= 512;
  const { m, n } = sizesOf(kernel);
  return kernel.inner >= 128 && Math.min(m, n) <= 16 && results <= 2 ** 16;
}

function gpuMicro(batch: number, m: number, n: number, facts: AdapterFacts): 4 | 8 | undefined {
  if (facts.maxInvocations < 256 || Math.min(m, n) < 32) return undefined;
  const large = batch * ceilDiv(m, 128) * ceilDiv(n, 128) >= 128;
  if (large && tiledBytes(8) <= facts.workgroupBytes) return 8;
  return tiledBytes(4) <= facts.workgroupBytes ? 4 : undefined;
}

function registerTile(kernel: MatmulKernel, results: number, facts: AdapterFacts): Tile {
  const { m, n } = sizesOf(kernel);
  const work = facts.cpu && m >= 8 && n >= 8 ? results * kernel.inner : 0;
  if (work >= WORTH_LARGE_TILES.square) return { rows: 8, columns: 8 };
  if (work >= WORTH_LARGE_TILES.tall) return { rows: 8, columns: 4 };
  return { rows: m >= 3 ? 4 : m, columns: n >= 3 ? 4 : 1 };
}
