/** @file One thread's instances of the compiled modules over the memory. */
import { LIBRARY } from './library.ts';

/** A kernel function: `(args, begin, end, scratch)`. */
export type KernelCall = (args: number, begin: number, end: number, scratch: number) => void;

/** A function of a module, exported there as `k` and its number. */
export interface CodeAddress {
  readonly module: number;
  readonly index: number;
}

/** Instances of modules by number; the first one added is the library that the others import. */
export class Executor {
  readonly #memory: WebAssembly.Memory;
  readonly #instances = new Map<number, WebAssembly.Exports>();
  #modules = 0;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  /** Compiles a module and returns its number. */
  add(bytes: Uint8Array<ArrayBuffer>): number {
    const library = this.#instances.get(0) ?? {};
    const imports = Object.fromEntries(LIBRARY.map((name) => [name, library[name]!]));
    const env = { memory: this.#memory, ...imports };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env });
    this.#instances.set(this.#modules, instance.exports);
    return this.#modules++;
  }

  drop(module: number): void {
    this.#instances.delete(module);
  }

  function({ module, index }: CodeAddress): KernelCall {
    return this.#instances.get(module)![`k${index}`] as KernelCall;
  }
}
