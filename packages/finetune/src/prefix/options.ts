/** @file How hidden states that do not change in training are kept. */

/** Where hidden states may be kept, at most so many bytes in each place; the first place that holds all is taken. */
export interface PrefixCacheOptions {
  /** Device memory; 512 MiB. */
  readonly deviceBytes?: number;
  /** Memory of the host; 2 GiB. */
  readonly hostBytes?: number;
  /** Disk (Node), in a temporary file; 0. */
  readonly diskBytes?: number;
  /** 16 bits a number in place of 32: half the memory, and no longer the same numbers; no. */
  readonly f16?: boolean;
}
