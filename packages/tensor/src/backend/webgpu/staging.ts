/**
 * @file Read-back: results are copied to mappable buffers that are kept for the next read of like size,
 * outside the pool of device memory.
 */
import { blockSize } from './buffers.ts';

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
  #idle: GPUBuffer[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Copies `bytes` (a multiple of 4) out of a buffer after all submitted work. */
  async read(source: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    const staging = this.#acquire(bytes);
    const encoder = this.#device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, staging, 0, bytes);
    this.#device.queue.submit([encoder.finish()]);
    await staging.mapAsync(READ, 0, bytes);
    const data = staging.getMappedRange(0, bytes).slice(0);
    staging.unmap();
    this.#release(staging);
    return data;
  }

  /** Destroys idle buffers. */
  dispose(): void {
    this.#idle.forEach((buffer) => buffer.destroy());
    this.#idle = [];
  }

  #acquire(bytes: number): GPUBuffer {
    const size = blockSize(bytes);
    const at = this.#idle.findIndex((buffer) => buffer.size === size);
    if (at >= 0) return this.#idle.splice(at, 1)[0]!;
    return this.#device.createBuffer({ size, usage: STAGING_USAGE });
  }

  #release(buffer: GPUBuffer): void {
    if (buffer.size > LARGEST_KEPT) return buffer.destroy();
    this.#idle.push(buffer);
    if (this.#idle.length > KEPT) this.#idle.shift()!.destroy();
  }
}
