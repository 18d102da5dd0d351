/** @file One thread's view of the compiled modules: instances over the shared memory, by number. */
import type { CodeAddress, ModuleSink } from './code-cache.ts';
import { LIBRARY } from './library.ts';

/** A kernel function: `(args, begin, end, scratch)`. */
export type KernelCall = (args: number, begin: number, end: number, scratch: number) => void;

/** Instances of modules; the first one added is the library that the others import. */
export class Executor implements ModuleSink {
  readonly #memory: WebAssembly.Memory;
  readonly #instances: (WebAssembly.Exports | undefined)[] = [];

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  addModule(bytes: Uint8Array<ArrayBuffer>): void {
    const library = this.#instances[0] ?? {};
    const imports = Object.fromEntries(LIBRARY.map((name) => [name, library[name]!]));
    const env = { memory: this.#memory, ...imports };
    const module = new WebAssembly.Module(bytes);
    this.#instances.push(new WebAssembly.Instance(module, { env }).exports);
  }

  dropModule(index: number): void {
    this.#instances[index] = undefined;
  }

  /** The function at an address. */
  function({ module, name }: CodeAddress): KernelCall {
    return this.#instances[module]![name] as KernelCall;
  }
}
