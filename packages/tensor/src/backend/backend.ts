/**
 * @file The one border between the engine and a device. A back end is a connector: it moves bytes,
 * compiles plans and runs them in order. It knows no tensors and no gradients, and frees nothing by itself.
 *
 * Ordering: `write`, `run` and `read` take effect in the order of the calls.
 */
import type { DType, TypedArray } from '../dtype.ts';
import type { DeviceError } from '../errors.ts';
import type { Plan, ScheduleLimits } from '../schedule/plan.ts';

/** Names of the back ends, as in `CAMADA_BACKEND`. */
export type BackendName = 'webgpu' | 'wasm' | 'reference';

/** Memory on a device, owned by whoever asked for it. */
export interface DeviceBuffer {
  readonly dtype: DType;
  /** Elements. */
  readonly size: number;
}

/** A compiled plan; opaque to the engine. */
export interface Program {
  readonly plan: Plan;
  /** Frees what belongs to the program alone (pipelines, code). */
  dispose(): void;
}

/** What a back end found; printed by `camada doctor`. */
export interface BackendInfo {
  readonly backend: BackendName;
  /** Adapter, or CPU features. */
  readonly adapter: string;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

/** Bytes held on the device. */
export interface MemoryUse {
  /** Held by tensors. */
  readonly live: number;
  /** Kept for reuse. */
  readonly pooled: number;
  /** Most ever held at once, pooled bytes included. */
  readonly peak: number;
}

/** A device that runs plans. */
export interface Backend {
  readonly info: BackendInfo;
  readonly scheduleLimits: ScheduleLimits;
  /**
   * Reserves memory; contents undefined. Throws DeviceError when refused, with sizes; a device that refuses only
   * later lets the operations on that memory wait for its answer, see `run`.
   */
  allocate(size: number, dtype: DType): DeviceBuffer;
  /** Gives memory back (to a pool). Using the buffer afterwards is an error. */
  free(buffer: DeviceBuffer): void;
  /** Copies host elements in; `data.length` equals `buffer.size`. Returns as `run` does. */
  write(buffer: DeviceBuffer, data: TypedArray): Promise<void> | undefined;
  /** Copies elements out, after all earlier work. Bools come as Uint32Array of 0 and 1. */
  read(buffer: DeviceBuffer): Promise<TypedArray>;
  /** Generates code. Throws DeviceError naming the kernel when the device refuses it. */
  compile(plan: Plan): Program;
  /**
   * Runs a program. `bindings[i]` is the memory of `plan.buffers[i]`, undefined for scratch. `scalars` are the
   * 32-bit words of the graph's host numbers, by slot. Returns undefined when the work is enqueued. A promise means
   * that it waits for memory: when it is rejected (DeviceError) this operation and all later ones did not
   * happen, and theirs were rejected before.
   */
  run(
    program: Program,
    bindings: readonly (DeviceBuffer | undefined)[],
    scalars: Uint32Array,
  ): Promise<void> | undefined;
  /** The error that made the device unusable, if one did. */
  readonly failure: DeviceError | undefined;
  /** Resolves when all earlier work is done; rejects with DeviceError when some of it failed. */
  synchronize(): Promise<void>;
  memory(): MemoryUse;
  /** Kernels dispatched, submits and compilations since the start, for structural tests. */
  readonly counters: { kernels: number; submits: number; compiled: number };
  /** Ends the device; frees everything. */
  dispose(): void;
}
