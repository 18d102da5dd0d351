/**
 * @file Compiled shaders, by their text: devices do not notice that two shaders are the same.
 */
import type { Kernel } from '../../schedule/kernel.ts';
import { guard, type Health } from './health.ts';
import type { Shader } from './wgsl/facts.ts';

/** GPUShaderStage.COMPUTE. */
const COMPUTE = 4;

/** A pipeline and the layout of its bind group. */
export interface Pipeline {
  readonly gpu: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Compiles each text once. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #health: Health;
  readonly #byText = new Map<string, Pipeline>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  /** Pipelines compiled so far. */
  compiled = 0;

  constructor(device: GPUDevice, health: Health) {
    this.#device = device;
    this.#health = health;
  }

  /** The pipeline of a shader; a refusal poisons the device with the kernel's name. */
  get(kernel: Kernel, shader: Shader): Pipeline {
    const known = this.#byText.get(shader.code);
    if (known) return known;
    const pipeline = this.#compile(kernel, shader);
    this.#byText.set(shader.code, pipeline);
    this.compiled++;
    return pipeline;
  }

  #compile(kernel: Kernel, shader: Shader): Pipeline {
    const layout = this.#layout(kernel, shader);
    const refused = (): string =>
      `webgpu: the device refused kernel ${kernel.label} over [${kernel.loop.join(', ')}]`;
    const gpu = guard(this.#device, this.#health, ['validation', 'internal'], refused, () =>
      this.#device.createComputePipeline({
        label: kernel.label,
        layout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: {
          module: this.#device.createShaderModule({ label: kernel.label, code: shader.code }),
        },
      }),
    );
    return { gpu, layout };
  }

  #layout(kernel: Kernel, shader: Shader): GPUBindGroupLayout {
    const reads = kernel.buffers.map((buffer) => buffer.access === 'read');
    if (shader.scalars) reads.push(true);
    const key = reads.map((read) => (read ? 'r' : 'w')).join('');
    const known = this.#layouts.get(key);
    if (known) return known;
    const entries = reads.map((read, binding) => ({
      binding,
      visibility: COMPUTE,
      buffer: { type: read ? ('read-only-storage' as const) : ('storage' as const) },
    }));
    const layout = this.#device.createBindGroupLayout({ entries });
    this.#layouts.set(key, layout);
    return layout;
  }
}
