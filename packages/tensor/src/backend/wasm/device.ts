/** @file The WebAssembly back end: memory, programs and their runs. */
import { bytesPerElement, hostArray, type DType, type TypedArray } from '../../dtype.ts';
import { DeviceError, invariant } from '../../errors.ts';
import type { Plan, PlanBuffer } from '../../schedule/plan.ts';
import type { Backend, BackendInfo, DeviceBuffer, MemoryUse, Program } from '../backend.ts';
import type { ScheduleLimits } from '../../schedule/plan.ts';
import { CodeCache, type CompiledKernel } from './code-cache.ts';
import type { MemoryPool } from './memory.ts';
import { Pause } from './pause.ts';
import type { Crew } from './crew.ts';

/** A block of the memory. */
class WasmBuffer implements DeviceBuffer {
  readonly dtype: DType;
  readonly size: number;
  /** Undefined once it is freed. */
  address: number | undefined;

  constructor(dtype: DType, size: number, address: number) {
    this.dtype = dtype;
    this.size = size;
    this.address = address;
  }
}

/** A plan with code and a place for its arguments. */
interface WasmProgram extends Program {
  readonly kernels: readonly CompiledKernel[];
  /** Address of the scalar words, then of each kernel's argument words. */
  readonly scalars: number;
  readonly args: readonly number[];
  /** Bytes of the largest workspace. */
  readonly workspace: number;
  disposed: boolean;
}

/** What the back end is made of. */
export interface WasmParts {
  readonly pool: MemoryPool;
  readonly crew: Crew;
  readonly relaxed: boolean;
}

/** Runs plans on the processor. */
export class WasmBackend implements Backend {
  readonly info: BackendInfo;
  readonly scheduleLimits: ScheduleLimits = { maxBuffersPerKernel: 64 };
  readonly counters: Backend['counters'] = { kernels: 0, submits: 0, compiled: 0 };
  readonly #pool: MemoryPool;
  readonly #crew: Crew;
  readonly #cache: CodeCache;
  readonly #pause = new Pause();
  #disposed = false;
  /** The error that left a run undone in the middle. */
  failure: DeviceError | undefined;

  constructor({ pool, crew, relaxed }: WasmParts) {
    this.#pool = pool;
    this.#crew = crew;
    const maximum = pool.maxBytes / 65536;
    const shared = crew.shared;
    this.#cache = new CodeCache({ shared, maximum }, relaxed, crew);
    this.info = {
      backend: 'wasm',
      adapter: `WebAssembly SIMD, ${crew.threads} thread${crew.threads === 1 ? '' : 's'}`,
      features: ['simd', ...(relaxed ? ['relaxed-simd'] : []), ...(shared ? ['threads'] : [])],
      limits: { maxBytes: pool.maxBytes, threads: crew.threads },
    };
  }

  #use(): void {
    if (this.#disposed) throw new DeviceError('wasm: this device was disposed; open a new one');
    if (this.failure) throw new DeviceError(this.failure.message, { cause: this.failure });
  }

  allocate(size: number, dtype: DType): DeviceBuffer {
    this.#use();
    return new WasmBuffer(dtype, size, this.#pool.allocate(size * bytesPerElement(dtype)));
  }

  free(buffer: DeviceBuffer): void {
    if (this.#disposed) return;
    this.#pool.free(addressOf(buffer));
    (buffer as WasmBuffer).address = undefined;
  }

  write(buffer: DeviceBuffer, data: TypedArray): undefined {
    this.#use();
    if (data.length !== buffer.size)
      throw new DeviceError(
        `wasm: write of ${data.length} elements into a buffer of ${buffer.size} ${buffer.dtype}`,
      );
    this.#view(buffer).set(data);
  }

  /** The buffer's elements in place; stale once memory grows. */
  #view(buffer: DeviceBuffer): TypedArray {
    const { buffer: bytes } = this.#pool.bytes();
    const address = addressOf(buffer);
    const View = hostArray(buffer.dtype, 0).constructor as new (
      bytes: ArrayBufferLike,
      offset: number,
      length: number,
    ) => TypedArray;
    return new View(bytes, address, buffer.size);
  }

  async read(buffer: DeviceBuffer): Promise<TypedArray> {
    this.#use();
    const copy = hostArray(buffer.dtype, buffer.size);
    copy.set(this.#view(buffer));
    await this.#pause.now();
    return copy;
  }

  compile(plan: Plan): Program {
    this.#use();
    const kernels = this.#cache.compile(plan.kernels);
    const words = plan.kernels.map(({ buffers }) => buffers.length + 2);
    const slots = plan.graph.scalars.length;
    const start = this.#pool.allocate(4 * words.reduce((sum, n) => sum + n, slots));
    let next = start + 4 * slots;
    const args = words.map((n) => (next += 4 * n) - 4 * n);
    const workspace = Math.max(0, ...kernels.map((kernel) => kernel.workspace));
    this.counters.compiled++;
    const dispose = (): void => this.#dispose(program);
    const program: WasmProgram = {
      plan,
      kernels,
      scalars: start,
      args,
      workspace,
      disposed: false,
      dispose,
    };
    return program;
  }

  #dispose(program: WasmProgram): void {
    if (program.disposed || this.#disposed) return;
    program.disposed = true;
    this.#cache.release(program.kernels);
    this.#pool.free(program.scalars);
  }

  run(
    given: Program,
    bindings: readonly (DeviceBuffer | undefined)[],
    scalars: Uint32Array,
  ): undefined {
    this.#use();
    const program = given as WasmProgram;
    if (program.disposed) throw new DeviceError('wasm: this program was disposed');
    const { plan } = program;
    const borrowed: number[] = [];
    const borrow = (bytes: number): number => {
      borrowed.push(this.#pool.allocate(bytes));
      return borrowed.at(-1)!;
    };
    try {
      const addresses = plan.buffers.map((buffer, i) =>
        buffer.role === 'scratch' ? borrow(buffer.size * 4) : boundAddress(buffer, bindings[i], i),
      );
      const workspace = program.workspace > 0 ? borrow(program.workspace) : 0;
      this.#writeArguments(program, addresses, workspace, scalars);
      this.#runKernels(program);
    } finally {
      for (const address of borrowed) this.#pool.free(address);
    }
    this.counters.submits++;
  }

  #writeArguments(
    program: WasmProgram,
    addresses: readonly number[],
    workspace: number,
    scalars: Uint32Array,
  ): void {
    const words = new Uint32Array(this.#pool.bytes().buffer);
    words.set(scalars, program.scalars / 4);
    program.plan.kernels.forEach(({ buffers }, i) => {
      let at = program.args[i]! / 4;
      words[at++] = program.scalars;
      for (const { id } of buffers) words[at++] = addresses[id]!;
      words[at] = workspace;
    });
  }

  #runKernels(program: WasmProgram): void {
    program.kernels.forEach((kernel, i) => {
      try {
        for (const phase of kernel.phases) this.#crew.run(phase, program.args[i]!);
      } catch (error) {
        const { label } = program.plan.kernels[i]!;
        this.failure ??= new DeviceError(
          `wasm: kernel ${label} failed: ${String(error)}; what this run had computed and updated is unknown, so ` +
            'this device does no more work; open it anew with resetDevice() and go on from the last checkpoint',
          { cause: error },
        );
        throw this.failure;
      }
    });
    this.counters.kernels += program.kernels.length;
  }

  async synchronize(): Promise<void> {
    this.#use();
    await this.#pause.now();
  }

  memory(): MemoryUse {
    return this.#pool.use();
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#crew.dispose();
  }
}

function addressOf(buffer: DeviceBuffer): number {
  invariant(buffer instanceof WasmBuffer, 'wasm: a buffer of another back end');
  if (buffer.address === undefined)
    throw new DeviceError('wasm: use of a buffer after it was freed');
  return buffer.address;
}

function boundAddress(buffer: PlanBuffer, bound: DeviceBuffer | undefined, i: number): number {
  invariant(bound, `wasm: plan buffer ${i} (${buffer.role} ${buffer.index}) is not bound`);
  invariant(
    bound.size >= buffer.size && bound.dtype === buffer.dtype,
    `wasm: plan buffer ${i} is ${buffer.size} ${buffer.dtype}, bound to ${bound.size} ${bound.dtype}`,
  );
  return addressOf(bound);
}
