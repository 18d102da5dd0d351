/** @file Look-up by index. */
import * as build from '../graph/build.ts';
import { MovementMethods } from './movement.ts';

/** Look-up by index, as methods. */
export abstract class IndexingMethods<
  Self extends IndexingMethods<Self>,
> extends MovementMethods<Self> {
  /** Rows of this table [V, ...rest] by i32 indices [...n] → [...n, ...rest]. Indices are clamped. */
  gather(indices: Self): Self {
    return this.wrap(build.gather(this.node, indices.node));
  }
}
