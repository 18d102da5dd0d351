/**
 * @file Read-back: results are copied to mappable buffers that are kept for the next read of like size,
 * outside the pool of device memory.
 */
import { blockSize } from './buffers.ts';
import { ask, type Granted } from './grant.ts';

/** MAP_READ | COPY_DST. */
const STAGING_USAGE = 0x01 | 0x08;
/** Idle staging buffers kept, and the largest of them in bytes. */
const KEPT = 8;
const LARGEST_KEPT = 2 ** 24;
/** GPUMapMode.READ. */
const READ = 1;

/** Staging buffers of a device. */
export class Staging {
  readonly #device: GPUDevice;
  #idle: Granted[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A mappable buffer of at least `bytes`. */
  acquire(bytes: number): Granted {
    const size = blockSize(bytes);
    const at = this.#idle.findIndex((buffer) => buffer.bytes === size);
    if (at >= 0) return this.#idle.splice(at, 1)[0]!;
    return ask(this.#device, size, STAGING_USAGE);
  }

  /** Enqueues a copy of `bytes` (a multiple of 4) out of a buffer. */
  copy(source: GPUBuffer, staging: Granted, bytes: number): void {
    const encoder = this.#device.createCommandEncoder({ label: 'read' });
    encoder.copyBufferToBuffer(source, 0, staging.gpu, 0, bytes);
    this.#device.queue.submit([encoder.finish()]);
  }

  /** What was copied; the buffer is free for the next read. */
  async take(staging: Granted, bytes: number): Promise<ArrayBuffer> {
    await staging.gpu.mapAsync(READ, 0, bytes);
    const data = staging.gpu.getMappedRange(0, bytes).slice(0);
    staging.gpu.unmap();
    this.#release(staging);
    return data;
  }

  /** Destroys idle buffers. */
  dispose(): void {
    this.#idle.forEach(({ gpu }) => gpu.destroy());
    this.#idle = [];
  }

  #release(buffer: Granted): void {
    if (buffer.bytes > LARGEST_KEPT) return buffer.gpu.destroy();
    this.#idle.push(buffer);
    if (this.#idle.length > KEPT) this.#idle.shift()!.gpu.destroy();
  }
}
