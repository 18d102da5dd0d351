/**
 * @file Device memory: a pool of blocks by near-exact size. A freed block may be used again at once,
 * because a queue works in order; destroying waits until the work already submitted is done.
 */
import { DeviceError } from '../../errors.ts';
import type { MemoryUse } from '../backend.ts';
import { ask, type Granted } from './grant.ts';
import { showBytes } from './health.ts';

/** STORAGE | COPY_SRC | COPY_DST; the global `GPUBufferUsage` does not exist in Node. */
const STORAGE_USAGE = 0x80 | 0x04 | 0x08;
/** Blocks are whole vectors of four words, so that any of them may be read as vectors. */
const GRAIN = 16;
/** Runs after which an unused block goes back to the system. */
const IDLE_RUNS = 32;

/** One GPUBuffer of the pool. */
export interface Block extends Granted {
  /** Distinct for each block; names it in keys of caches. */
  readonly id: number;
  /** The run after which it was last freed. */
  freed: number;
}

/** Size of the block that serves `bytes`: at most 12.5 % larger, so that like sizes share blocks. */
export function blockSize(bytes: number): number {
  const needed = Math.max(GRAIN, Math.ceil(bytes / GRAIN) * GRAIN);
  const step = Math.max(GRAIN, 2 ** (Math.floor(Math.log2(needed)) - 3));
  return Math.ceil(needed / step) * step;
}

/** Owner of all device memory. */
export class Pool {
  readonly #device: GPUDevice;
  readonly #idle = new Map<number, Block[]>();
  readonly #limit: number;
  #held = 0;
  #pooled = 0;
  #peak = 0;
  #count = 0;
  #runs = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#limit = Math.floor(device.limits.maxBufferSize / GRAIN) * GRAIN;
  }

  /** Throws DeviceError when no block of `bytes` can exist; `what` needs it. */
  check(bytes: number, what = 'a tensor'): void {
    if (bytes <= this.#limit) return;
    throw new DeviceError(
      `webgpu: ${what} needs a buffer of ${showBytes(bytes)}, and this device's limit for one is ` +
        `${showBytes(this.#limit)}; use a smaller batch, split the tensor, or choose the wasm back end with CAMADA_BACKEND=wasm`,
    );
  }

  /** A block of at least `bytes`. Throws DeviceError above the device's limit. */
  acquire(bytes: number): Block {
    this.check(bytes);
    const size = Math.min(blockSize(bytes), this.#limit);
    const found = this.#idle.get(size)?.pop();
    if (!found) return this.#create(size);
    this.#pooled -= size;
    return found;
  }

  /** Gives a block back. */
  release(block: Block): void {
    block.freed = this.#runs;
    const list = this.#idle.get(block.bytes);
    if (list) list.push(block);
    else this.#idle.set(block.bytes, [block]);
    this.#pooled += block.bytes;
  }

  /** Bytes now; `live` is what tensors hold. */
  memory(): MemoryUse {
    return { live: this.#held - this.#pooled, pooled: this.#pooled, peak: this.#peak };
  }

  /** Counts a run and destroys the blocks that none of the last runs needed, those in `keep` excepted. */
  endRun(keep: ReadonlySet<Granted>): void {
    this.#runs++;
    if (this.#runs % 8 === 0) this.#trim(IDLE_RUNS, keep);
  }

  /**
   * Asks again for memory that was refused, after giving all idle blocks back to the system except those in `keep`.
   * The error when the device refuses again.
   */
  async retry(memory: Granted, keep: ReadonlySet<Granted>): Promise<DeviceError | undefined> {
    const before = this.memory();
    this.#trim(0, keep);
    await this.#device.queue.onSubmittedWorkDone();
    memory.gpu.destroy();
    Object.assign(memory, ask(this.#device, memory.bytes, memory.usage));
    const why = await memory.answer;
    if (why === undefined) return undefined;
    return new DeviceError(
      `webgpu: the device refused ${showBytes(memory.bytes)} of memory, twice, the second time after ` +
        `${showBytes(before.pooled - this.#pooled)} of idle memory were given back; tensors hold ` +
        `${showBytes(before.live)} (${why}). Nothing of this run was computed or assigned; ` +
        'use a smaller batch, shorter sequences or fewer trained layers, and go on',
    );
  }

  /** Destroys pooled blocks that were freed at least `runs` runs ago, once submitted work is done. */
  #trim(runs: number, keep: ReadonlySet<Granted>): void {
    const old: Block[] = [];
    for (const [size, list] of this.#idle) {
      const stays = (block: Block): boolean => keep.has(block) || this.#runs - block.freed < runs;
      old.push(...list.filter((block) => !stays(block)));
      const kept = list.filter(stays);
      if (kept.length > 0) this.#idle.set(size, kept);
      else this.#idle.delete(size);
    }
    if (old.length > 0) this.#destroyLater(old);
  }

  #destroyLater(blocks: readonly Block[]): void {
    const bytes = blocks.reduce((sum, block) => sum + block.bytes, 0);
    this.#held -= bytes;
    this.#pooled -= bytes;
    const destroy = (): void => blocks.forEach((block) => block.gpu.destroy());
    this.#device.queue.onSubmittedWorkDone().then(destroy, destroy);
  }

  #create(size: number): Block {
    const granted = ask(this.#device, size, STORAGE_USAGE);
    this.#held += size;
    this.#peak = Math.max(this.#peak, this.#held);
    return { ...granted, id: this.#count++, freed: 0 };
  }
}
