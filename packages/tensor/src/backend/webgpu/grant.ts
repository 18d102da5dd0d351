/**
 * @file Memory that the device may still refuse: WebGPU says so only later. Operations on such memory wait until it is
 * granted, and all that come after them wait too, so that effects keep their order and a refusal finds a
 * device on which nothing of what needed the memory has happened.
 */
import type { DeviceError } from '../../errors.ts';
import { firstLines } from './health.ts';

/** A buffer, perhaps not granted yet. */
export interface Granted {
  gpu: GPUBuffer;
  readonly bytes: number;
  readonly usage: number;
  /** The device's answer: why it refused. Undefined once it is granted. */
  answer: Promise<string | undefined> | undefined;
}

/** Asks for a buffer. */
export function ask(device: GPUDevice, bytes: number, usage: number): Granted {
  device.pushErrorScope('validation');
  device.pushErrorScope('out-of-memory');
  try {
    const gpu = device.createBuffer({ size: bytes, usage });
    return {
      gpu,
      bytes,
      usage,
      answer: refusalOf([device.popErrorScope(), device.popErrorScope()]),
    };
  } catch (error) {
    void refusalOf([device.popErrorScope(), device.popErrorScope()]);
    throw error;
  }
}

async function refusalOf(scopes: readonly Promise<GPUError | null>[]): Promise<string | undefined> {
  try {
    const errors = await Promise.all(scopes);
    const error = errors.find((found) => found !== null);
    return error && firstLines(error.message);
  } catch {
    return undefined; // The device is gone, which `lost` reports.
  }
}

/** What to do when memory is refused: try once more; the error if that is in vain. */
export type Retry = (memory: Granted) => Promise<DeviceError | undefined>;

interface Operation {
  readonly memory: readonly Granted[];
  readonly act: () => void;
  readonly done: () => void;
  readonly refused: (error: unknown) => void;
}

/** Operations in order. */
export class Line {
  readonly #retry: Retry;
  #waiting: Operation[] = [];

  constructor(retry: Retry) {
    this.#retry = retry;
  }

  /**
   * Acts now and returns undefined where all memory is granted and nothing waits; else returns a promise that is
   * resolved when `act` has run, and rejected when it and all that waits behind it never will. The last to
   * wait is rejected first.
   */
  enqueue(memory: readonly Granted[], act: () => void): Promise<void> | undefined {
    if (this.#waiting.length === 0 && memory.every(({ answer }) => answer === undefined)) {
      act();
      return undefined;
    }
    const late = new Promise<void>((done, refused) => {
      this.#waiting.push({ memory, act, done, refused });
    });
    late.catch(() => undefined); // Whoever reads next is told as well.
    if (this.#waiting.length === 1) void this.#drain();
    return late;
  }

  /** Memory that waiting operations are about to use. */
  inUse(): ReadonlySet<Granted> {
    return new Set(this.#waiting.flatMap(({ memory }) => memory));
  }

  /** Rejects all that waits. */
  fail(error: unknown): void {
    const failed = this.#waiting.reverse();
    this.#waiting = [];
    failed.forEach(({ refused }) => refused(error));
  }

  async #drain(): Promise<void> {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      try {
        for (const memory of next.memory) await this.#granted(memory);
        if (next !== this.#waiting[0]) continue; // Failed while it waited.
        next.act();
      } catch (error) {
        if (next === this.#waiting[0]) this.fail(error);
        continue;
      }
      this.#waiting.shift();
      next.done();
    }
  }

  async #granted(memory: Granted): Promise<void> {
    if (memory.answer && (await memory.answer) !== undefined) {
      const error = await this.#retry(memory);
      if (error) throw error;
    }
    memory.answer = undefined;
  }
}
