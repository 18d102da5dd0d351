/** @file The table of public operations: `@camada/tensor/catalogue`. */
import { ACTIVATION_OPS } from './activation.ts';
import { CONVOLUTION_OPS } from './convolution.ts';
import { CREATE_OPS } from './create.ts';
import { EINSUM_OPS } from './einsum.ts';
import { ELEMENTWISE_OPS } from './elementwise.ts';
import { GRID_OPS } from './grid.ts';
import { INDEXING_OPS } from './indexing.ts';
import { LINEAR_OPS } from './linear.ts';
import { MOVEMENT_OPS } from './movement.ts';
import { RANDOM_OPS } from './random.ts';
import type { OpRecord } from './record.ts';
import { REDUCTION_OPS } from './reduction.ts';
import { SCAN_OPS } from './scan.ts';
import { SORT_OPS } from './sort.ts';

export { Draw } from './draw.ts';
export type { ElementType, HostArray } from './host.ts';
export {
  elementType,
  reproduction,
  type GradientKind,
  type OpCase,
  type OpRecord,
} from './record.ts';

/** Families of operations, in the order of docs/ops.md. */
export const FAMILIES: Readonly<Record<string, Readonly<Record<string, OpRecord>>>> = {
  elementwise: ELEMENTWISE_OPS,
  activation: ACTIVATION_OPS,
  reduction: REDUCTION_OPS,
  scan: SCAN_OPS,
  sort: SORT_OPS,
  movement: MOVEMENT_OPS,
  indexing: INDEXING_OPS,
  convolution: CONVOLUTION_OPS,
  linear: { ...LINEAR_OPS, ...EINSUM_OPS },
  create: { ...CREATE_OPS, ...GRID_OPS },
  random: RANDOM_OPS,
};

/** Every public operation by name. */
export const CATALOGUE: ReadonlyMap<string, OpRecord> = new Map(
  Object.values(FAMILIES).flatMap((records) => Object.entries(records)),
);
