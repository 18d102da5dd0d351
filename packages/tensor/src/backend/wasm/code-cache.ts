/**
 * @file Compiled kernels, shared by all programs of a back end: kernels with equal text share code, so
 * the layers of a transformer compile once. A program's new kernels become one module.
 */
import { DeviceError } from '../../errors.ts';
import type { Kernel } from '../../schedule/kernel.ts';
import type { Crew, Work } from './crew.ts';
import { encodeModule, type ModuleParts } from './encode.ts';
import { generate, keyed } from './generate.ts';
import type { KernelCode } from './kernel-function.ts';
import { LIBRARY, LIBRARY_SIGNATURES, libraryModule } from './library.ts';

/** A compiled kernel. */
export interface CompiledKernel {
  readonly key: string;
  readonly phases: readonly Work[];
  readonly workspace: number;
}

interface Entry {
  readonly compiled: CompiledKernel;
  readonly module: number;
  uses: number;
}

/** Kernels by their text, counted. */
export class CodeCache {
  readonly #entries = new Map<string, Entry>();
  readonly #liveKernels = new Map<number, number>();
  readonly #memory: ModuleParts['memory'];
  readonly #relaxed: boolean;
  readonly #crew: Crew;

  constructor(memory: ModuleParts['memory'], relaxed: boolean, crew: Crew) {
    this.#memory = memory;
    this.#relaxed = relaxed;
    this.#crew = crew;
    const needs =
      'this page or engine runs no WebAssembly with SIMD; it takes Node 20, or a browser of 2023 and, where the page has ' +
      "a content security policy, 'wasm-unsafe-eval' in its script-src";
    addModule(crew, libraryModule(memory, relaxed), needs);
  }

  /** Compiled forms of the kernels, in order. Each must be given back by `release`. */
  compile(kernels: readonly Kernel[]): CompiledKernel[] {
    const list = kernels.map(keyed);
    const fresh = new Map<string, KernelCode>();
    for (const [i, { kernel, key }] of list.entries())
      if (!this.#entries.has(key) && !fresh.has(key))
        fresh.set(key, generateOrExplain(kernel, kernels[i]!.label, this.#relaxed));
    if (fresh.size > 0) this.#compileModule(fresh, namesOf(kernels));
    return list.map(({ key }) => {
      const entry = this.#entries.get(key)!;
      if (entry.uses++ === 0) this.#count(entry.module, 1);
      return entry.compiled;
    });
  }

  #compileModule(fresh: ReadonlyMap<string, KernelCode>, labels: string): void {
    const codes = [...fresh];
    const functions = codes
      .flatMap(([, { phases }]) => phases)
      .map((phase, index) => ({ ...phase.function, exported: `k${index}` }));
    const imports = LIBRARY.map((name, i) => ({ name, signature: LIBRARY_SIGNATURES[i]! }));
    const bytes = encodeModule({ memory: this.#memory, imports, functions });
    const module = addModule(this.#crew, bytes, `the engine refused the code of ${labels}`);
    let index = 0;
    for (const [key, { phases, workspace }] of codes) {
      const works = phases.map(({ units, unitCost }): Work => {
        return { code: { module, index: index++ }, units, unitCost };
      });
      this.#entries.set(key, { compiled: { key, phases: works, workspace }, module, uses: 0 });
    }
  }

  #count(module: number, change: number): void {
    this.#liveKernels.set(module, (this.#liveKernels.get(module) ?? 0) + change);
  }

  /** Gives kernels back; a module none of whose kernels is in use is dropped. */
  release(kernels: readonly CompiledKernel[]): void {
    for (const { key } of kernels) {
      const entry = this.#entries.get(key)!;
      if (--entry.uses > 0) continue;
      this.#count(entry.module, -1);
      if (this.#liveKernels.get(entry.module) === 0) this.#drop(entry.module);
    }
  }

  #drop(module: number): void {
    for (const [key, entry] of this.#entries)
      if (entry.module === module) this.#entries.delete(key);
    this.#liveKernels.delete(module);
    this.#crew.dropModule(module);
  }
}

function namesOf(kernels: readonly Kernel[]): string {
  const names = kernels.slice(0, 3).map(({ label }) => label);
  return names.join(', ') + (kernels.length > 3 ? ` and ${kernels.length - 3} more` : '');
}

/** Compiles a module. Throws DeviceError that says `what` went wrong. */
function addModule(crew: Crew, bytes: Uint8Array<ArrayBuffer>, what: string): number {
  try {
    return crew.addModule(bytes);
  } catch (error) {
    throw new DeviceError(`wasm: ${what} (${String(error)})`, { cause: error });
  }
}

function generateOrExplain(kernel: Kernel, label: string, relaxed: boolean): KernelCode {
  try {
    return generate(kernel, relaxed);
  } catch (error) {
    throw new DeviceError(`wasm: kernel ${label} cannot be generated: ${String(error)}`, {
      cause: error,
    });
  }
}
