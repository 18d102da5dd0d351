/**
 * @file Blocks of one WebAssembly.Memory: best fit over a free list that joins neighbours. Blocks begin
 * at multiples of 64 bytes. The first and last 64 bytes of the memory are never given out, so a vector
 * that begins a few elements before or after a block (see guarded loads) stays inside the memory.
 */
import type { MemoryUse } from '../backend.ts';
import { DeviceError, invariant } from '../../errors.ts';

const PAGE = 65536;
const ALIGNMENT = 64;
const MAX_PAGES = 65536;

interface Block {
  readonly address: number;
  readonly size: number;
}

/** Bytes as people read them. */
export function showBytes(bytes: number): string {
  if (bytes < 2 ** 20) return `${(bytes / 2 ** 10).toFixed(1)} KiB`;
  return bytes < 2 ** 30
    ? `${(bytes / 2 ** 20).toFixed(1)} MiB`
    : `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}

/** The largest memory of up to `pages` that the engine reserves. Throws DeviceError when it reserves none. */
export function reserveMemory(
  pages: number,
  shared: boolean,
): { memory: WebAssembly.Memory; maximum: number } {
  for (let maximum = pages; maximum >= 1024; maximum >>>= 1) {
    try {
      return { memory: new WebAssembly.Memory({ initial: 16, maximum, shared }), maximum };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  throw new DeviceError(
    `wasm: the engine reserves no memory of ${showBytes(1024 * PAGE)} or more; close other pages or processes`,
  );
}

/** Gives out blocks of a memory. */
export class MemoryPool {
  readonly memory: WebAssembly.Memory;
  readonly maxBytes: number;
  readonly #live = new Map<number, number>();
  /** By size, smallest first. */
  #free: Block[] = [];
  /** End of the part ever given out. */
  #top = ALIGNMENT;
  #liveBytes = 0;
  #peak = 0;
  #bytes: Uint8Array | undefined;

  constructor(maxBytes: number, shared: boolean) {
    const pages = Math.min(MAX_PAGES, Math.max(1024, Math.floor(maxBytes / PAGE)));
    const { memory, maximum } = reserveMemory(pages, shared);
    this.memory = memory;
    this.maxBytes = maximum * PAGE;
  }

  /** The memory's bytes now; growing makes earlier views stale. */
  bytes(): Uint8Array {
    const buffer = this.memory.buffer;
    if (this.#bytes?.buffer !== buffer) this.#bytes = new Uint8Array(buffer);
    return this.#bytes!;
  }

  /** Address of a new block; contents undefined. Throws DeviceError when the memory cannot grow. */
  allocate(bytes: number): number {
    const size = Math.max(1, Math.ceil(bytes / ALIGNMENT)) * ALIGNMENT;
    const at = this.#free.findIndex((block) => block.size >= size);
    const address = at < 0 ? this.#extend(size) : this.#split(at, size);
    this.#live.set(address, size);
    this.#liveBytes += size;
    return address;
  }

  #split(at: number, size: number): number {
    const [block] = this.#free.splice(at, 1);
    if (block!.size > size)
      this.#insert({ address: block!.address + size, size: block!.size - size });
    return block!.address;
  }

  #insert(block: Block): void {
    const at = this.#free.findIndex((other) => other.size >= block.size);
    this.#free.splice(at < 0 ? this.#free.length : at, 0, block);
  }

  #extend(size: number): number {
    const last = this.#free.findIndex((block) => block.address + block.size === this.#top);
    const address = last < 0 ? this.#top : this.#free[last]!.address;
    this.#grow(address + size + ALIGNMENT, size);
    if (last >= 0) this.#free.splice(last, 1);
    this.#top = address + size;
    this.#peak = Math.max(this.#peak, this.#top);
    return address;
  }

  #grow(end: number, wanted: number): void {
    const have = this.memory.buffer.byteLength;
    if (end <= have) return;
    const need = Math.ceil((end - have) / PAGE);
    const spare = Math.ceil(Math.min(have / 2, 2 ** 28) / PAGE);
    for (const pages of [Math.max(need, spare), need]) {
      try {
        this.memory.grow(pages);
        return;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }
    const { live, pooled } = this.use();
    throw new DeviceError(
      `wasm: ${showBytes(wanted)} more do not fit: ${showBytes(live)} are in use, ${showBytes(pooled)} free in ` +
        `smaller pieces, and the limit is ${showBytes(this.maxBytes)}${this.#refusal(need)}. Nothing of this run was ` +
        'computed or assigned; use a smaller batch, checkpointing or 16-bit weights, and go on',
    );
  }

  /** When it is the engine, not the limit, that refuses to grow. */
  #refusal(pages: number): string {
    const end = this.memory.buffer.byteLength + pages * PAGE;
    return end > this.maxBytes ? '' : ', but this process gets no more memory from the system';
  }

  /** Gives a block back. Freeing what is not in use is a fault of the engine. */
  free(address: number): void {
    const size = this.#live.get(address);
    invariant(size !== undefined, `wasm: block ${address} freed twice or never allocated`);
    this.#live.delete(address);
    this.#liveBytes -= size;
    this.#insert(this.#joined({ address, size }));
  }

  #joined(block: Block): Block {
    let { address, size } = block;
    this.#free = this.#free.filter((other) => {
      const before = other.address + other.size === address;
      const after = address + size === other.address;
      if (before) address = other.address;
      if (before || after) size += other.size;
      return !before && !after;
    });
    return { address, size };
  }

  use(): MemoryUse {
    return {
      live: this.#liveBytes,
      pooled: this.#top - ALIGNMENT - this.#liveBytes,
      peak: this.#peak,
    };
  }
}
