/**
 * @file The caller and its worker threads. Units are taken from an atomic counter. Small kernels stay on
 * the caller, and where another process holds the cores, so that sharing makes work slower, all do for a while.
 */
import { DeviceError } from '../../errors.ts';
import { unitsPerCall, type Crew, type Work } from './crew.ts';
import { Executor } from './executor.ts';
import { SCRATCH_BYTES } from './kernel-function.ts';
import type { MemoryPool } from './memory.ts';
import { startWorker, type WorkerHandle } from './start-worker.ts';
import { WORD } from './worker-source.ts';

/** Nanoseconds below which a kernel is not worth sharing. */
const WORTH_SHARING = 50_000;
/** Milliseconds lost by sharing, less those won, after which the workers rest; and how long, at first and at most. */
const PATIENCE = 20;
const FIRST_REST = 250;
const LONGEST_REST = 8000;
/** Milliseconds that the caller spins for workers still inside before it sleeps. */
const SPIN = 0.05;

interface StoredModule {
  readonly address: number;
  readonly bytes: number;
}

/** A caller with workers. */
export class ThreadCrew implements Crew {
  readonly threads: number;
  readonly shared: boolean = true;
  readonly #pool: MemoryPool;
  readonly #executor: Executor;
  readonly #scratch: number;
  readonly #words: Int32Array;
  readonly #modules = new Map<number, StoredModule>();
  readonly #workers: readonly WorkerHandle[];
  readonly #maySleep: boolean;
  #ticket = 0;
  #lost = 0;
  #rest = FIRST_REST;
  #restUntil = 0;

  constructor(pool: MemoryPool, workers: readonly WorkerHandle[], control: number) {
    this.threads = workers.length + 1;
    this.#pool = pool;
    this.#workers = workers;
    this.#executor = new Executor(pool.memory);
    this.#scratch = pool.allocate(SCRATCH_BYTES);
    this.#words = new Int32Array(pool.memory.buffer, control, Object.keys(WORD).length);
    this.#maySleep = maySleep(this.#words);
  }

  addModule(bytes: Uint8Array<ArrayBuffer>): number {
    const module = this.#executor.add(bytes);
    const address = this.#pool.allocate(bytes.length);
    this.#pool.bytes().set(bytes, address);
    this.#modules.set(module, { address, bytes: bytes.length });
    if (module > 0) return module;
    this.#put('libraryAddress', address);
    this.#put('libraryBytes', bytes.length);
    return module;
  }

  dropModule(module: number): void {
    this.#executor.drop(module);
    this.#pool.free(this.#modules.get(module)!.address);
    this.#modules.delete(module);
  }

  #put(word: keyof typeof WORD, value: number): void {
    Atomics.store(this.#words, WORD[word], value);
  }

  #get(word: keyof typeof WORD): number {
    return Atomics.load(this.#words, WORD[word]);
  }

  run(work: Work, args: number): void {
    const shares = work.units > 1 && work.units * work.unitCost >= WORTH_SHARING;
    if (!shares) return this.#alone(work, args);
    const now = performance.now();
    if (now < this.#restUntil) return this.#alone(work, args);
    this.#together(work, args, now);
  }

  #alone(work: Work, args: number): void {
    const call = this.#executor.function(work.code);
    const step = unitsPerCall(work);
    for (let begin = 0; begin < work.units; begin += step)
      call(args, begin, Math.min(begin + step, work.units), this.#scratch);
  }

  #together(work: Work, args: number, start: number): void {
    const fair = Math.ceil(work.units / (4 * this.threads));
    const step = Math.min(unitsPerCall(work), fair);
    this.#open(work, args, step);
    let own = 0;
    try {
      own = this.#takeUnits(work, args, step);
    } finally {
      this.#put('open', 0);
      const busy = performance.now() - start;
      this.#waitForEntered();
      const taken = performance.now() - start;
      if (own > 0) this.#judge(busy * (work.units / own), taken);
    }
    if (this.#get('failed') > 0)
      throw new DeviceError('wasm: a worker thread failed; open the device with threads: 1');
  }

  #open(work: Work, args: number, step: number): void {
    const { address, bytes } = this.#modules.get(work.code.module)!;
    this.#put('next', 0);
    this.#put('units', work.units);
    this.#put('step', step);
    this.#put('args', args);
    this.#put('module', work.code.module);
    this.#put('moduleAddress', address);
    this.#put('moduleBytes', bytes);
    this.#put('function', work.code.index);
    this.#ticket = (this.#ticket % 0x3fffffff) + 1;
    this.#put('open', this.#ticket);
    this.#put('ticket', this.#ticket);
    Atomics.notify(this.#words, WORD.ticket);
  }

  /** Takes units until none is left; returns how many the caller did. */
  #takeUnits(work: Work, args: number, step: number): number {
    const call = this.#executor.function(work.code);
    let own = 0;
    for (;;) {
      const begin = Atomics.add(this.#words, WORD.next, step);
      if (begin >= work.units) return own;
      const end = Math.min(begin + step, work.units);
      call(args, begin, end, this.#scratch);
      own += end - begin;
    }
  }

  #waitForEntered(): void {
    const until = performance.now() + SPIN;
    for (let spins = 1; this.#get('active') > 0; spins++) {
      const inside = this.#get('active');
      const tired = spins % 64 === 0 && performance.now() > until;
      if (tired && inside > 0 && this.#maySleep) Atomics.wait(this.#words, WORD.active, inside, 1);
    }
  }

  /**
   * Rests the workers when sharing has cost time, not saved it: on a busy machine the caller waits for
   * workers that the system has put aside. `alone` and `taken` in milliseconds.
   */
  #judge(alone: number, taken: number): void {
    this.#lost = Math.max(-PATIENCE, this.#lost + taken - alone);
    if (this.#lost <= -PATIENCE) this.#rest = FIRST_REST;
    if (this.#lost < PATIENCE) return;
    this.#lost = 0;
    this.#restUntil = performance.now() + this.#rest;
    this.#rest = Math.min(2 * this.#rest, LONGEST_REST);
  }

  dispose(): void {
    this.#put('end', 1);
    Atomics.add(this.#words, WORD.ticket, 1);
    Atomics.notify(this.#words, WORD.ticket);
    for (const worker of this.#workers) worker.end();
  }
}

/** A page's main thread may not sleep. */
function maySleep(words: Int32Array): boolean {
  try {
    Atomics.wait(words, WORD.active, -1, 0);
    return true;
  } catch {
    return false;
  }
}

/** Starts workers and the crew that they work in. Throws DeviceError where the host starts none. */
export async function openCrew(pool: MemoryPool, threads: number): Promise<Crew> {
  const control = pool.allocate(4 * Object.keys(WORD).length);
  pool.bytes().fill(0, control, control + 4 * Object.keys(WORD).length);
  const starts = Array.from({ length: threads - 1 }, () => {
    return { memory: pool.memory, control, scratch: pool.allocate(SCRATCH_BYTES) };
  });
  const workers = await Promise.all(starts.map(startWorker)).catch((cause: unknown) => {
    throw new DeviceError(
      `wasm: a worker thread did not start (${String(cause)}); allow workers from blob: addresses, or open with threads: 1`,
      { cause },
    );
  });
  return new ThreadCrew(pool, workers, control);
}
