/**
 * @file The WebAssembly back end: kernels become WebAssembly bytes with SIMD, written here without any
 * compiler and run on this machine's processor.
 */
import type { Backend } from '../backend.ts';
import { SoloCrew } from './crew.ts';
import { WasmBackend } from './device.ts';
import { hasRelaxedSimd } from './features.ts';
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

/** Opens the back end. Throws DeviceError where WebAssembly memory is refused. */
export async function openWasm(options: WasmOptions = {}): Promise<Backend> {
  const relaxed = options.relaxed !== false && (await hasRelaxedSimd());
  const pool = new MemoryPool(options.maxBytes ?? 2 ** 32, false);
  return new WasmBackend({ pool, crew: new SoloCrew(pool, false), relaxed });
}
