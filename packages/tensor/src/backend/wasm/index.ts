/**
 * @file The WebAssembly back end: kernels become WebAssembly bytes with SIMD, written here without any
 * compiler and run on this machine's processor.
 */
import { DeviceError } from '../../errors.ts';
import type { Backend } from '../backend.ts';
import { SoloCrew } from './crew.ts';
import { WasmBackend } from './device.ts';
import { canShareMemory, coreCount, hasRelaxedSimd } from './features.ts';
import { openCrew } from './thread-crew.ts';
import { MemoryPool } from './memory.ts';

/** How to open the back end. */
export interface WasmOptions {
  /** Threads that share the work, the caller included; the cores of the machine, but at most 4. */
  readonly threads?: number;
  /** Fused multiply-adds where the engine has them. Results then depend on the engine in the last bit. */
  readonly relaxed?: boolean;
  /** Most bytes of memory; 4 GiB. */
  readonly maxBytes?: number;
}

/** Most threads without being asked: more rarely help, and the machine has other work. */
const DEFAULT_THREADS = 4;

const LEAST_BYTES = 2 ** 26;
const MOST_BYTES = 2 ** 32;

/** Threads to use: as asked, or the cores up to 4; 1 where memory cannot be shared with workers. */
async function threadCount(asked: number | undefined): Promise<number> {
  if (asked !== undefined && !(Number.isInteger(asked) && asked >= 1 && asked <= 64))
    throw new DeviceError(`openWasm: threads must be an integer from 1 to 64, not ${asked}`);
  if (!canShareMemory()) return 1;
  return asked ?? Math.min(await coreCount(), DEFAULT_THREADS);
}

/** Most bytes of memory: as asked, or all that 32-bit addresses reach. */
function memoryLimit(asked: number = MOST_BYTES): number {
  if (asked >= LEAST_BYTES && asked <= MOST_BYTES) return asked;
  throw new DeviceError(`openWasm: maxBytes must be from 64 MiB to 4 GiB in bytes, not ${asked}`);
}

/** Opens the back end. Throws DeviceError where WebAssembly memory is refused. */
export async function openWasm(options: WasmOptions = {}): Promise<Backend> {
  const threads = await threadCount(options.threads);
  const relaxed = options.relaxed !== false && (await hasRelaxedSimd());
  const pool = new MemoryPool(memoryLimit(options.maxBytes), threads > 1);
  const crew = threads > 1 ? await openCrew(pool, threads) : new SoloCrew(pool);
  return new WasmBackend({ pool, crew, relaxed });
}
