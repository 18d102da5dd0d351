/** @file Who does a kernel's units: the contract, and the caller alone. */
import { Executor, type CodeAddress } from './executor.ts';
import { SCRATCH_BYTES } from './kernel-function.ts';
import type { MemoryPool } from './memory.ts';

/** A phase of a compiled kernel: `units` calls' worth of one function. */
export interface Work {
  readonly code: CodeAddress;
  readonly units: number;
  /** Estimated nanoseconds of a unit on one core. */
  readonly unitCost: number;
}

/** Nanoseconds of work in one call: short enough for the engine to swap in better code between calls. */
const CALL_COST = 20_000;

/** The threads of a back end. */
export interface Crew {
  readonly threads: number;
  /** The memory is shared. */
  readonly shared: boolean;
  /** Compiles a module for all threads and returns its number; the first is the library. */
  addModule(bytes: Uint8Array<ArrayBuffer>): number;
  /** Forgets a module. */
  dropModule(module: number): void;
  /** Does all units, in any order, and returns when they are done. */
  run(work: Work, args: number): void;
  /** Ends the threads. */
  dispose(): void;
}

/** Units for one call. */
export function unitsPerCall(work: Work): number {
  return Math.max(1, Math.ceil(CALL_COST / work.unitCost));
}

/** The caller alone. */
export class SoloCrew implements Crew {
  readonly threads: number = 1;
  readonly shared: boolean = false;
  readonly executor: Executor;
  readonly #scratch: number;

  constructor(pool: MemoryPool) {
    this.executor = new Executor(pool.memory);
    this.#scratch = pool.allocate(SCRATCH_BYTES);
  }

  addModule(bytes: Uint8Array<ArrayBuffer>): number {
    return this.executor.add(bytes);
  }

  dropModule(module: number): void {
    this.executor.drop(module);
  }

  run(work: Work, args: number): void {
    const call = this.executor.function(work.code);
    const step = unitsPerCall(work);
    for (let begin = 0; begin < work.units; begin += step)
      call(args, begin, Math.min(begin + step, work.units), this.#scratch);
  }

  dispose(): void {
    // Instances and memory go with the garbage.
  }
}
