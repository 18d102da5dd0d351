/**
 * @file The WebGPU back end: moves bytes, compiles plans, and runs each as one submit.
 */
import { bytesPerElement, hostArray, type DType, type TypedArray } from '../../dtype.ts';
import { DeviceError, invariant } from '../../errors.ts';
import type { Plan } from '../../schedule/plan.ts';
import type { Backend, BackendInfo, DeviceBuffer, MemoryUse, Program } from '../backend.ts';
import type { ScheduleLimits } from '../../schedule/plan.ts';
import { describeAdapter, factsOf, limitsOf } from './adapter.ts';
import { Pool, type Block } from './buffers.ts';
import { Line } from './grant.ts';
import { Health, watch } from './health.ts';
import { Pipelines } from './pipelines.ts';
import {
  bindGroup,
  compileDispatches,
  type Dispatch,
  type Dispatches,
  type WebGPUProgram,
} from './program.ts';
import { Staging } from './staging.ts';
import type { AdapterFacts } from './wgsl/facts.ts';

/** Host elements in the form the device stores them. */
function stored(data: TypedArray, dtype: DType): TypedArray {
  const exact = hostArray(dtype, 0);
  if (data.constructor === exact.constructor) return data;
  const converted = hostArray(dtype, data.length);
  converted.set(data);
  return converted;
}

/** The bytes of host elements, padded to whole words since WebGPU copies nothing less. */
function wholeWords(data: TypedArray): TypedArray {
  if (data.byteLength % 4 === 0) return data;
  const padded = new Uint16Array(data.length + 1);
  padded.set(data);
  return padded;
}

/** Implements {@link Backend} on a GPUDevice. */
export class WebGPUBackend implements Backend {
  readonly info: BackendInfo;
  readonly scheduleLimits: ScheduleLimits;
  readonly #device: GPUDevice;
  readonly #facts: AdapterFacts;
  readonly #health = new Health();
  readonly #pool: Pool;
  readonly #line: Line;
  readonly #staging: Staging;
  readonly #pipelines: Pipelines;
  readonly #blocks = new WeakMap<DeviceBuffer, Block>();
  readonly #programs = new WeakSet<Program>();
  #kernels = 0;
  #submits = 0;

  /** `pretended` replaces facts of the adapter, to try the kernels of another class of device. */
  constructor(device: GPUDevice, pretended: Partial<AdapterFacts> = {}) {
    const facts = { ...factsOf(device), ...pretended };
    this.#device = device;
    this.#facts = facts;
    this.#pool = new Pool(device);
    this.#line = new Line((memory) => this.#pool.retry(memory, this.#line.inUse()));
    this.#staging = new Staging(device);
    this.#pipelines = new Pipelines(device, this.#health);
    this.info = {
      backend: 'webgpu',
      adapter: describeAdapter(device.adapterInfo),
      features: [...device.features].sort(),
      limits: limitsOf(device),
    };
    // One storage buffer is the scalars'.
    this.scheduleLimits = { maxBuffersPerKernel: facts.storageBuffers - 1 };
    watch(device, this.#health);
  }

  get counters(): { kernels: number; submits: number; compiled: number } {
    const compiled = this.#pipelines.compiled;
    return { kernels: this.#kernels, submits: this.#submits, compiled };
  }

  get failure(): DeviceError | undefined {
    return this.#health.failure;
  }

  allocate(size: number, dtype: DType): DeviceBuffer {
    this.#health.check();
    const buffer: DeviceBuffer = { dtype, size };
    this.#blocks.set(buffer, this.#pool.acquire(size * bytesPerElement(dtype)));
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    const block = this.#blockOf(buffer);
    this.#blocks.delete(buffer);
    this.#pool.release(block);
  }

  write(buffer: DeviceBuffer, data: TypedArray): Promise<void> | undefined {
    this.#health.check();
    const block = this.#blockOf(buffer);
    invariant(data.length === buffer.size, `write of ${data.length} elements to ${buffer.size}`);
    if (data.length === 0) return undefined;
    let content = data;
    const late = this.#line.enqueue([block], () => {
      const words = wholeWords(stored(content, buffer.dtype));
      this.#device.queue.writeBuffer(block.gpu, 0, words as Float32Array<ArrayBuffer>);
    });
    // The caller may change its array as soon as this returns.
    if (late) content = data.slice();
    return late;
  }

  async read(buffer: DeviceBuffer): Promise<TypedArray> {
    this.#health.check();
    const block = this.#blockOf(buffer);
    if (buffer.size === 0) return hostArray(buffer.dtype, 0);
    const bytes = Math.ceil((buffer.size * bytesPerElement(buffer.dtype)) / 4) * 4;
    const staging = this.#staging.acquire(bytes);
    await this.#line.enqueue([block, staging], () => this.#staging.copy(block.gpu, staging, bytes));
    const [data] = await this.#settled([this.#staging.take(staging, bytes), this.#fence()]);
    return fromBytes(data as ArrayBuffer, buffer);
  }

  compile(plan: Plan): Program {
    this.#health.check();
    const compiled = compileDispatches(plan, this.#pipelines, this.#facts);
    for (const [id, bytes] of compiled.scratch) this.#pool.check(bytes, writerOf(compiled, id));
    const program: WebGPUProgram = {
      plan,
      ...compiled,
      scalars: undefined,
      dispose: () => this.#disposeProgram(program),
    };
    this.#programs.add(program);
    return program;
  }

  run(
    program: Program,
    bindings: readonly (DeviceBuffer | undefined)[],
    scalars: Uint32Array,
  ): Promise<void> | undefined {
    this.#health.check();
    invariant(this.#programs.has(program), 'this program was disposed or is of another back end');
    const mine = program as WebGPUProgram;
    const bound = mine.plan.buffers.map(({ role }, i) =>
      role === 'scratch' ? undefined : this.#bound(bindings[i], i),
    );
    if (mine.dispatches.some((dispatch) => dispatch.scalars))
      mine.scalars ??= this.#pool.acquire(scalars.byteLength);
    const scratch = this.#scratch(mine);
    for (const [id, block] of scratch) bound[id] = block;
    const blocks = bound as Block[];
    try {
      let words = scalars;
      const late = this.#line.enqueue([...blocks, ...(mine.scalars ? [mine.scalars] : [])], () => {
        this.#upload(mine, words);
        this.#submit(mine, blocks);
        this.#pool.endRun(this.#line.inUse());
      });
      if (late) words = scalars.slice();
      return late;
    } finally {
      // Later work on these blocks is behind this run in the line.
      [...scratch.values()].reverse().forEach((block) => this.#pool.release(block));
    }
  }

  /** Blocks for a program's scratch, all or none. */
  #scratch(program: WebGPUProgram): Map<number, Block> {
    const taken = new Map<number, Block>();
    try {
      for (const [id, bytes] of program.scratch) taken.set(id, this.#pool.acquire(bytes));
      return taken;
    } catch (error) {
      taken.forEach((block) => this.#pool.release(block));
      throw error;
    }
  }

  async synchronize(): Promise<void> {
    this.#health.check();
    await this.#line.enqueue([], () => undefined);
    await this.#settled([this.#device.queue.onSubmittedWorkDone(), this.#fence()]);
  }

  memory(): MemoryUse {
    return this.#pool.memory();
  }

  dispose(): void {
    this.#health.fail('webgpu: this device was disposed; open a new one');
    this.#line.fail(this.#health.failure);
    this.#staging.dispose();
    this.#device.destroy();
  }

  #blockOf(buffer: DeviceBuffer): Block {
    const block = this.#blocks.get(buffer);
    invariant(block, 'a device buffer was freed already or is of another back end');
    return block;
  }

  #bound(buffer: DeviceBuffer | undefined, position: number): Block {
    invariant(buffer, `run without memory for plan buffer ${position}`);
    return this.#blockOf(buffer);
  }

  #upload(program: WebGPUProgram, scalars: Uint32Array): void {
    if (!program.scalars) return;
    // Ordered with submits: the previous run still sees its own numbers.
    this.#device.queue.writeBuffer(program.scalars.gpu, 0, scalars as Uint32Array<ArrayBuffer>);
  }

  #submit(program: WebGPUProgram, blocks: readonly Block[]): void {
    if (program.dispatches.length === 0) return;
    const { bindingBytes } = this.#facts;
    const { label } = program.dispatches[0]!;
    const encoder = this.#device.createCommandEncoder({ label: `run that begins with ${label}` });
    let pass: GPUComputePassEncoder | undefined;
    for (const dispatch of program.dispatches) {
      const group = bindGroup(this.#device, dispatch, blocks, program.scalars, bindingBytes);
      if (dispatch.clear !== undefined) {
        pass?.end();
        pass = undefined;
        encoder.clearBuffer(blocks[dispatch.clear]!.gpu);
      }
      pass ??= encoder.beginComputePass();
      encode(pass, dispatch, group);
    }
    pass?.end();
    this.#device.queue.submit([encoder.finish()]);
    this.#kernels += program.dispatches.length;
    this.#submits++;
  }

  #disposeProgram(program: WebGPUProgram): void {
    if (!this.#programs.delete(program)) return;
    if (program.scalars) this.#pool.release(program.scalars);
    program.dispatches.forEach((dispatch) => dispatch.groups.clear());
  }

  /** An empty error scope: when it answers, the errors of all earlier calls have been told. */
  async #fence(): Promise<unknown> {
    this.#device.pushErrorScope('validation');
    return this.#device.popErrorScope();
  }

  /** Waits; a failure, of the wait or of earlier work, is told as the device's state. */
  async #settled(waits: readonly Promise<unknown>[]): Promise<unknown[]> {
    try {
      const results = await Promise.all(waits);
      this.#health.check();
      return results;
    } catch (error) {
      // A rejected map may arrive just before the reason why the device was lost.
      if (!(error instanceof DeviceError)) await Promise.race([this.#device.lost, pause()]);
      this.#health.check();
      throw new DeviceError(`webgpu: waiting for the device failed: ${String(error)}`, {
        cause: error,
      });
    }
  }
}

/** The kernel that needs a scratch buffer, for an error. */
function writerOf({ dispatches }: Dispatches, id: number): string {
  const writer = dispatches.find(({ written }) => written.has(id));
  return writer ? `the result of ${writer.label}` : 'scratch memory';
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}

function encode(pass: GPUComputePassEncoder, dispatch: Dispatch, group: GPUBindGroup): void {
  pass.setPipeline(dispatch.pipeline.gpu);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(dispatch.grid[0], dispatch.grid[1]);
}

function fromBytes(data: ArrayBuffer, buffer: DeviceBuffer): TypedArray {
  const { dtype, size } = buffer;
  if (dtype === 'f32') return new Float32Array(data, 0, size);
  if (dtype === 'i32') return new Int32Array(data, 0, size);
  if (bytesPerElement(dtype) === 2) return new Uint16Array(data, 0, size);
  return new Uint32Array(data, 0, size);
}
