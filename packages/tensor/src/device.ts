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
import { profiled } from './backend/profile/index.ts';
import { hostArray, type TypedArray } from './dtype.ts';
import { DeviceError, InputError } from './errors.ts';
import type { Storage } from './graph/node.ts';
import { ifRefused, markLate } from './late.ts';

/** Programs kept compiled; the least recently used goes first. */
const PROGRAM_LIMIT = 256;

/** Where tensors are computed. */
export class Device {
  readonly backend: Backend;
  /** True when every op runs alone and is checked against the reference. */
  readonly eager: boolean;
  private readonly programs = new Map<string, Program>();
  private readonly collected: FinalizationRegistry<DeviceBuffer>;
  private closed = false;

  constructor(backend: Backend, eager: boolean = false) {
    this.backend = backend;
    this.eager = eager;
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
    const owner = owners.get(buffer);
    if (owner !== this) throw new DeviceError(elsewhere(owner, this));
    return buffer;
  }

  /** Reserves memory on this device. */
  allocate(size: number, dtype: Storage['dtype']): DeviceBuffer {
    const buffer = this.backend.allocate(Math.max(1, size), dtype);
    owners.set(buffer, this);
    return buffer;
  }

  private upload(storage: Storage): void {
    const host = storage.host ?? hostArray(storage.dtype, storage.size);
    const buffer = this.allocate(storage.size, storage.dtype);
    const late = storage.size > 0 ? this.backend.write(buffer, this.fit(host)) : undefined;
    this.own(storage, buffer);
    storage.host = undefined;
    if (late) markLate(storage, late);
    ifRefused(storage, () => {
      if (storage.device?.buffer !== buffer) return;
      storage.device.release();
      storage.host = host;
    });
  }

  /** The error that made the device unusable, if one did. */
  get failure(): DeviceError | undefined {
    return this.backend.failure;
  }

  /** True after `dispose`. */
  get disposed(): boolean {
    return this.closed;
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

/** The device of each buffer. */
const owners = new WeakMap<DeviceBuffer, Device>();

/** What to say of a tensor whose memory is not on `here`. */
function elsewhere(owner: Device | undefined, here: Device): string {
  const why = owner?.failure?.message ?? (owner?.disposed ? 'that device was disposed' : undefined);
  if (why !== undefined)
    return (
      `a tensor's content is lost: it was in the memory of a device that is gone (${why}), and there is no copy ` +
      'of it; load it again from its file or the last checkpoint'
    );
  return `a tensor lives on another device than the current one (${here.info.backend}); call useDevice() first or copy its data`;
}

/** Choices for `openDevice`; see each back end. */
export interface DeviceOptions {
  /**
   * For debugging: every op runs alone, nothing is fused, and its result is compared with the reference interpreter's
   * from the same inputs; the first op that differs by more than its bound is a DeviceError. Slow. @defaultValue false
   */
  readonly eager?: boolean;
  /** wasm: threads to use. @defaultValue the cores, at most 4 */
  readonly threads?: number;
  /** wasm: fused multiply-add where the engine has it; off gives the same bits on every machine. @defaultValue true */
  readonly relaxed?: boolean;
  /** wasm: most bytes of memory. @defaultValue 4 GiB */
  readonly maxBytes?: number;
  /** webgpu: which adapter. @defaultValue 'auto' */
  readonly adapter?: 'auto' | 'hardware' | 'swiftshader' | 'lavapipe';
  /** webgpu: ask for the adapter's limits or WebGPU's guaranteed ones. @defaultValue `CAMADA_WEBGPU_LIMITS`, else 'adapter' */
  readonly limits?: 'adapter' | 'default';
}

let current: Device | undefined;
/** The device that was current last. */
let latest: Device | undefined;
let opening: Promise<Device> | undefined;
/** How each device was opened. */
const origins = new WeakMap<Device, () => Promise<Device>>();

/** Opens a device. Throws DeviceError when the machine has none of that kind, with what to do. */
export async function openDevice(name: BackendName, options: DeviceOptions = {}): Promise<Device> {
  const opened = new Device(await profiled(await OPEN[name](options)), options.eager);
  origins.set(opened, () => openDevice(name, options));
  return opened;
}

/**
 * Opens the current device anew, as it was opened, after it was lost or an error left its state unknown, and makes
 * the new one current. Tensors that have been on the device are lost; those that it never used, which are
 * still host data, are not. Throws DeviceError when there is no such device any more.
 */
export async function resetDevice(): Promise<Device> {
  const old = current ?? latest;
  old?.dispose();
  useDevice(await ((old && origins.get(old)) ?? openDefault)());
  return current!;
}

const OPEN: Record<BackendName, (options: DeviceOptions) => Promise<Backend>> = {
  wasm: async (options) => (await import('./backend/wasm/index.ts')).openWasm(options),
  webgpu: async (options) => (await import('./backend/webgpu/index.ts')).openWebGPU(options),
  reference: async () => (await import('./backend/reference/index.ts')).openReference(),
};

/** Makes a device the current one. */
export function useDevice(chosen: Device): void {
  current = chosen;
  latest = chosen;
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
    const opened = await opening;
    if (!current) useDevice(opened);
  } finally {
    opening = undefined;
  }
  return current!;
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
