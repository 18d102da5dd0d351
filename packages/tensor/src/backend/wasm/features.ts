/** @file What this engine's WebAssembly can do: relaxed SIMD and shared memory. */
import { Code, f32x4, op } from './assembler.ts';
import { encodeModule } from './encode.ts';

function relaxedModule(): Uint8Array<ArrayBuffer> {
  const code = new Code([]);
  const x = code.let('v128', f32x4(1));
  code.set(x, op('f32x4.relaxed_madd', x, x, x));
  const signature = { parameters: [], results: [] };
  return encodeModule({
    memory: { shared: false, maximum: 1 },
    imports: [],
    functions: [{ signature, body: code.body() }],
  });
}

/** True in Node, also under bundlers' shims of `process`. */
export function isNode(): boolean {
  const host = (globalThis as { process?: { versions?: { node?: string }; type?: string } })
    .process;
  return host?.versions?.node !== undefined && host.type !== 'renderer';
}

/**
 * True where the engine compiles fused multiply-adds. Node 20 does after a flag is set, before the first
 * module is compiled; newer Node and browsers do at once.
 */
export async function hasRelaxedSimd(): Promise<boolean> {
  const bytes = relaxedModule();
  if (WebAssembly.validate(bytes)) return true;
  if (!isNode()) return false;
  const name = 'node:v8';
  const v8 = (await import(/* @vite-ignore */ name)) as typeof import('node:v8');
  v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  return WebAssembly.validate(bytes);
}

/** True where memory can be shared with workers: Node, and cross-origin isolated pages. */
export function canShareMemory(): boolean {
  if (typeof SharedArrayBuffer === 'undefined') return false;
  return isNode() || (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true;
}

/** Cores of this machine that the process may use, as far as the host says. */
export async function coreCount(): Promise<number> {
  if (!isNode())
    return (globalThis as { navigator?: Navigator }).navigator?.hardwareConcurrency ?? 1;
  const name = 'node:os';
  const os = (await import(/* @vite-ignore */ name)) as typeof import('node:os');
  return os.availableParallelism();
}
