/**
 * @file `CAMADA_PROFILE`: a back end around another that runs each kernel as a program of its own and times it. Slower than
 * without it, and the numbers computed are the same. On wasm a kernel's time is that of its call; on WebGPU it is the time
 * from the kernel's turn to its completion, as the queue tells it.
 */
import type { Kernel } from '../../schedule/kernel.ts';
import type { Plan } from '../../schedule/plan.ts';
import type { Backend, DeviceBuffer, MemoryUse, Program } from '../backend.ts';
import { Record } from './record.ts';

/** A program's kernels apart; each sees all the plan's buffers as given memory. */
interface Apart extends Program {
  readonly parts: readonly { readonly kernel: Kernel; readonly program: Program }[];
}

/** The plan of one kernel, whose scratch is somebody else's care. */
function alone(plan: Plan, kernel: Kernel): Plan {
  const buffers = plan.buffers.map(({ role, size, dtype }, index) => ({
    role: 'input' as const,
    index,
    size,
    // Scratch is words, whatever its values are in turn.
    dtype: role === 'scratch' ? ('f32' as const) : dtype,
  }));
  return { ...plan, kernels: [kernel], buffers, scratchBytes: 0 };
}

/** Implements {@link Backend} by another one. */
export class ProfilingBackend implements Backend {
  readonly record: Record = new Record();
  readonly #inner: Backend;
  /** When the last kernel was done, in ms. */
  #last = 0;
  /** Kernels that were started and of whose end nobody has heard yet. */
  #open: Promise<void> = Promise.resolve();

  /** @param inner what computes. */
  constructor(inner: Backend) {
    this.#inner = inner;
  }

  get info(): Backend['info'] {
    return this.#inner.info;
  }

  get scheduleLimits(): Backend['scheduleLimits'] {
    return this.#inner.scheduleLimits;
  }

  get counters(): Backend['counters'] {
    return this.#inner.counters;
  }

  get failure(): Backend['failure'] {
    return this.#inner.failure;
  }

  allocate(...args: Parameters<Backend['allocate']>): DeviceBuffer {
    return this.#inner.allocate(...args);
  }

  free(buffer: DeviceBuffer): void {
    this.#inner.free(buffer);
  }

  write(...args: Parameters<Backend['write']>): Promise<void> | undefined {
    return this.#inner.write(...args);
  }

  read(buffer: DeviceBuffer): ReturnType<Backend['read']> {
    return this.#inner.read(buffer);
  }

  memory(): MemoryUse {
    return this.#inner.memory();
  }

  compile(plan: Plan): Program {
    const parts = plan.kernels.map((kernel) => ({
      kernel,
      program: this.#inner.compile(alone(plan, kernel)),
    }));
    const dispose = (): void => {
      for (const { program } of parts) program.dispose();
    };
    const program: Apart = { plan, parts, dispose };
    return program;
  }

  run(
    given: Program,
    bindings: readonly (DeviceBuffer | undefined)[],
    scalars: Uint32Array,
  ): Promise<void> | undefined {
    const { plan, parts } = given as Apart;
    const scratch = plan.buffers.map(({ role, size }) =>
      role === 'scratch' ? this.#inner.allocate(size, 'f32') : undefined,
    );
    const all = scratch.map((own, i) => own ?? bindings[i]);
    const late = parts.map(({ kernel, program }) =>
      this.#timed(kernel, plan, () => this.#inner.run(program, all, scalars)),
    );
    for (const own of scratch) if (own) this.#inner.free(own);
    const waiting = late.filter((one) => one !== undefined);
    return waiting.length > 0 ? Promise.all(waiting).then(() => undefined) : undefined;
  }

  #timed(
    kernel: Kernel,
    plan: Plan,
    run: () => Promise<void> | undefined,
  ): Promise<void> | undefined {
    const start = performance.now();
    const late = run();
    const note = (from: number): void => {
      this.#last = performance.now();
      this.record.add(kernel, plan, from, this.#last - from);
    };
    if (this.info.backend === 'wasm') note(start);
    else {
      // A run that fails is told by `run` and by `synchronize`; it has no time.
      const done = this.#inner.synchronize().then(
        () => note(Math.max(start, this.#last)),
        () => undefined,
      );
      this.#open = Promise.all([this.#open, done]).then(() => undefined);
    }
    return late;
  }

  async synchronize(): Promise<void> {
    await this.#inner.synchronize();
    await this.#open;
  }

  dispose(): void {
    this.#inner.dispose();
    this.record.end();
  }
}
