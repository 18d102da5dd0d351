/**
 * @file A Device: a back end, the programs compiled for it and the memory its tensors hold. Tensors are
 * lazy and know no device; the current one is chosen when a value is first read.
 */
import type {
  Backend,
  BackendInfo,
  BackendName,
  DeviceBuffer,
  MemoryUse,
  Program,
} from './backend/backend.ts';
import { hostArray, type TypedArray } from './dtype.ts';
import { DeviceError, InputError } from './errors.ts';
import type { Storage } from './graph/node.ts';

/** Programs kept compiled; the least recently used goes first. */
const PROGRAM_LIMIT = 256;

/** Where tensors are computed. */
export class Device {
  readonly backend: Backend;
  private readonly programs = new Map<string, Program>();
  private readonly collected: FinalizationRegistry<DeviceBuffer>;
  private closed = false;

  constructor(backend: Backend) {
    this.backend = backend;
    this.collected = new FinalizationRegistry((buffer) => {
      if (!this.closed) backend.free(buffer);
    });
  }

  /** What was found: back end, adapter, features, limits. */
  get info(): BackendInfo {
    return this.backend.info;
  }

  /** Kernels dispatched, submits and compilations so far. */
  get counters(): Backend['counters'] {
    return this.backend.counters;
  }

  /** Bytes live, pooled and at the peak. */
  memory(): MemoryUse {
    return this.backend.memory();
  }

  /** The program for a structure, compiled when it is new. */
  program(key: string, compile: () => Program): Program {
    const known = this.programs.get(key);
    if (known) this.programs.delete(key);
    const program = known ?? compile();
    this.programs.set(key, program);
    if (this.programs.size > PROGRAM_LIMIT) this.evict();
    return program;
  }

  private evict(): void {
    const [oldest] = this.programs;
    if (!oldest) return;
    this.programs.delete(oldest[0]);
    oldest[1].dispose();
  }

  /** Gives a new buffer to a storage that will own it. */
  own(storage: Storage, buffer: DeviceBuffer): void {
    this.collected.register(storage, buffer, storage);
    storage.device = {
      buffer,
      release: () => {
        this.collected.unregister(storage);
        storage.device = undefined;
        if (!this.closed) this.backend.free(buffer);
      },
    };
  }

  /** Moves device memory from one storage to its successor; the old one is spent. */
  handOver(from: Storage, to: Storage): void {
    const buffer = this.bufferOf(from);
    this.collected.unregister(from);
    from.device = undefined;
    from.disposed = true;
    this.own(to, buffer);
  }

  /** The device buffer of a storage, uploaded now if need be. Throws DeviceError when it is gone or elsewhere. */
  bufferOf(storage: Storage): DeviceBuffer {
    if (storage.disposed)
      throw new DeviceError(
        'this tensor was disposed, or depends on a parameter that an update has replaced since; read it in the run that computes it, or keep a copy',
      );
    if (!storage.device) this.upload(storage);
    const buffer = storage.device!.buffer as DeviceBuffer;
    if (!this.owned.has(buffer))
      throw new DeviceError(
        `a tensor lives on another device than the current one (${this.info.backend}); call useDevice() first or copy its data`,
      );
    return buffer;
  }

  private readonly owned = new WeakSet<DeviceBuffer>();

  /** Reserves memory on this device. */
  allocate(size: number, dtype: Storage['dtype']): DeviceBuffer {
    const buffer = this.backend.allocate(Math.max(1, size), dtype);
    this.owned.add(buffer);
    return buffer;
  }

  private upload(storage: Storage): void {
    const host = storage.host ?? hostArray(storage.dtype, storage.size);
    const buffer = this.allocate(storage.size, storage.dtype);
    if (storage.size > 0) this.backend.write(buffer, this.fit(host));
    this.own(storage, buffer);
    storage.host = undefined;
  }

  /** Only the reference device keeps f64. */
  private fit(host: TypedArray): TypedArray {
    const narrow = host instanceof Float64Array && this.info.backend !== 'reference';
    return narrow ? Float32Array.from(host) : host;
  }

  /** Frees everything; tensors of this device must not be used again. */
  dispose(): void {
    this.closed = true;
    for (const program of this.programs.values()) program.dispose();
    this.programs.clear();
    this.backend.dispose();
    if (current === this) current = undefined;
  }
}

/** Choices for `openDevice`; see each back end. */
export interface DeviceOptions {
  /** wasm: threads to use. @defaultValue the cores, at most 4 */
  readonly threads?: number;
  /** wasm: fused multiply-add where the engine has it; off gives the same bits on every machine. @defaultValue true */
  readonly relaxed?: boolean;
  /** webgpu: which adapter. @defaultValue 'auto' */
  readonly adapter?: 'auto' | 'hardware' | 'swiftshader' | 'lavapipe';
  /** webgpu: ask for the adapter's limits or WebGPU's guaranteed ones. @defaultValue 'adapter' */
  readonly limits?: 'adapter' | 'default';
}

let current: Device | undefined;
let opening: Promise<Device> | undefined;

/** Opens a device. Throws DeviceError when the machine has none of that kind, with what to do. */
export async function openDevice(name: BackendName, options: DeviceOptions = {}): Promise<Device> {
  return new Device(await OPEN[name](options));
}

const OPEN: Record<BackendName, (options: DeviceOptions) => Promise<Backend>> = {
  wasm: async (options) => (await import('./backend/wasm/index.ts')).openWasm(options),
  webgpu: async (options) => (await import('./backend/webgpu/index.ts')).openWebGPU(options),
  reference: async () => (await import('./backend/reference/index.ts')).openReference(),
};

/** Makes a device the current one. */
export function useDevice(chosen: Device): void {
  current = chosen;
}

/** The current device, if one is open. */
export function currentDevice(): Device | undefined {
  return current;
}

/** The current device, opened on first use: `CAMADA_BACKEND`, else WebGPU on a real GPU, else wasm. */
export async function device(): Promise<Device> {
  if (current) return current;
  opening ??= openDefault();
  try {
    current ??= await opening;
  } finally {
    opening = undefined;
  }
  return current;
}

async function openDefault(): Promise<Device> {
  const wanted = environment('CAMADA_BACKEND');
  if (wanted !== undefined && wanted !== '') return openDevice(checkName(wanted));
  const { hasHardwareAdapter } = await import('./backend/webgpu/index.ts');
  return openDevice((await hasHardwareAdapter()) ? 'webgpu' : 'wasm');
}

function checkName(name: string): BackendName {
  if (name in OPEN) return name as BackendName;
  throw new InputError(`CAMADA_BACKEND is '${name}'; allowed: ${Object.keys(OPEN).join(', ')}`);
}

function environment(name: string): string | undefined {
  const host = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return host.process?.env?.[name];
}

/** Bytes on the current device. */
export async function memory(): Promise<MemoryUse> {
  return (await device()).memory();
}
