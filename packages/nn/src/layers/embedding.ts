/** @file Look-up of rows in a table. */
import type { Tensor } from '@camada/tensor';
import { zeroParameter } from './parameter.ts';

/** Rows of a table by integer id. */
export class Embedding {
  /** [V, C]. */
  readonly weight: Tensor;

  /** A table of zeros, to be loaded or initialised. */
  constructor(rows: number, width: number) {
    this.weight = zeroParameter([rows, width]);
  }

  /** i32 ids [...n] to [...n, C]. Ids are checked on the host, where a batch is made. */
  call(ids: Tensor): Tensor {
    return this.weight.gather(ids);
  }
}
