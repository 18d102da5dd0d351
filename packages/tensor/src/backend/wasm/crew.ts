/** @file Who does a kernel's units: the caller alone. */
import type { CompiledPhase, ModuleSink } from './code-cache.ts';
import { Executor } from './executor.ts';
import { SCRATCH_BYTES } from './kernel-function.ts';
import type { MemoryPool } from './memory.ts';

/** Nanoseconds of work in one call: short enough for the engine to swap in better code between calls. */
const CALL_COST = 20_000;

/** The threads of a back end. */
export interface Crew extends ModuleSink {
  readonly threads: number;
  /** The memory is shared. */
  readonly shared: boolean;
  /** Does all units of a phase. */
  run(phase: CompiledPhase, args: number): void;
  dispose(): void;
}

/** Units for one call. */
export function unitsPerCall(phase: CompiledPhase): number {
  return Math.max(1, Math.ceil(CALL_COST / phase.unitCost));
}

/** The caller alone. */
export class SoloCrew implements Crew {
  readonly threads = 1;
  readonly shared: boolean;
  readonly #executor: Executor;
  readonly #scratch: number;

  constructor(pool: MemoryPool, shared: boolean) {
    this.shared = shared;
    this.#executor = new Executor(pool.memory);
    this.#scratch = pool.allocate(SCRATCH_BYTES);
  }

  addModule(bytes: Uint8Array<ArrayBuffer>): void {
    this.#executor.addModule(bytes);
  }

  dropModule(index: number): void {
    this.#executor.dropModule(index);
  }

  run(phase: CompiledPhase, args: number): void {
    const call = this.#executor.function(phase.code);
    const step = unitsPerCall(phase);
    for (let begin = 0; begin < phase.units; begin += step)
      call(args, begin, Math.min(begin + step, phase.units), this.#scratch);
  }

  dispose(): void {
    // Instances and memory go with the garbage.
  }
}
