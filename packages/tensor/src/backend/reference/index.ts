/**
 * @file The reference back end: runs a plan's graph with the f64 interpreter. f32 tensors are kept in f64
 * between runs too, so that finite differences are sharp.
 */
import { fromBf16, fromF16, hostArray, type DType, type TypedArray } from '../../dtype.ts';
import { invariant } from '../../errors.ts';
import type { Node, NodeOf } from '../../graph/node.ts';
import type { Plan } from '../../schedule/plan.ts';
import type { Backend, BackendInfo, DeviceBuffer, MemoryUse, Program } from '../backend.ts';
import { evaluate, type Scope, type Values } from './interpreter.ts';

interface ReferenceBuffer extends DeviceBuffer {
  values: Values;
}

class ReferenceBackend implements Backend {
  readonly info: BackendInfo = {
    backend: 'reference',
    adapter: 'f64 interpreter (JavaScript)',
    features: [],
    limits: {},
  };
  readonly scheduleLimits = { maxBuffersPerKernel: Infinity };
  readonly counters = { kernels: 0, submits: 0, compiled: 0 };
  readonly failure = undefined;
  private live = 0;
  private peak = 0;

  allocate(size: number, dtype: DType): DeviceBuffer {
    this.live += size * 8;
    this.peak = Math.max(this.peak, this.live);
    const buffer: ReferenceBuffer = { dtype, size, values: new Float64Array(size) };
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    this.live -= buffer.size * 8;
  }

  write(buffer: DeviceBuffer, data: TypedArray): undefined {
    (buffer as ReferenceBuffer).values = toValues(data, buffer.dtype);
  }

  read(buffer: DeviceBuffer): Promise<TypedArray> {
    const { values } = buffer as ReferenceBuffer;
    if (buffer.dtype === 'i32' || buffer.dtype === 'u32' || buffer.dtype === 'bool') {
      const out = hostArray(buffer.dtype, values.length);
      out.set(values);
      return Promise.resolve(out);
    }
    return Promise.resolve(values.slice());
  }

  compile(plan: Plan): Program {
    this.counters.compiled++;
    return { plan, dispose: () => undefined };
  }

  run(
    program: Program,
    bindings: readonly (DeviceBuffer | undefined)[],
    scalars: Uint32Array,
  ): undefined {
    const { plan } = program;
    const values = new Map<Node, Values>();
    const scope = makeScope(plan, bindings, scalars);
    for (const node of plan.graph.nodes)
      values.set(
        node,
        evaluate(
          node,
          node.inputs.map((x) => values.get(x)!),
          scope,
        ),
      );
    plan.graph.outputs.forEach(({ node }, i) => {
      const target = bindings[plan.outputs[i]!] as ReferenceBuffer | undefined;
      invariant(target, 'an output has no memory');
      target.values = values.get(node)!.slice();
    });
    this.counters.submits++;
  }

  synchronize(): Promise<void> {
    return Promise.resolve();
  }

  memory(): MemoryUse {
    return { live: this.live, pooled: 0, peak: this.peak };
  }

  dispose(): void {
    this.live = 0;
  }
}

/** Leaves by their place among the graph's inputs, numbers by their slot. */
function makeScope(
  plan: Plan,
  bindings: readonly (DeviceBuffer | undefined)[],
  scalars: Uint32Array,
): Scope {
  const inputs = new Map(plan.graph.inputs.map((storage, i) => [storage, i]));
  const byInput = new Map(
    plan.buffers.flatMap((b, id) => (b.role === 'input' ? [[b.index, bindings[id]] as const] : [])),
  );
  const slots = new Map(plan.graph.scalars.map((node, slot) => [node, slot]));
  const view = new DataView(scalars.buffer, scalars.byteOffset);
  return {
    leaf: (node) => (byInput.get(inputs.get(node.attrs.storage)!) as ReferenceBuffer).values,
    number: (node) => readWord(view, slots.get(node)! * 4, node),
  };
}

function readWord(view: DataView, at: number, node: NodeOf<'scalar'>): number {
  if (node.dtype === 'i32') return view.getInt32(at, true);
  return node.dtype === 'f32' ? view.getFloat32(at, true) : view.getUint32(at, true);
}

function toValues(data: TypedArray, dtype: DType): Values {
  if (data instanceof Uint16Array)
    return Float64Array.from(data, dtype === 'f16' ? fromF16 : fromBf16);
  return Float64Array.from(data);
}

/** Opens the f64 interpreter. */
export function openReference(): Promise<Backend> {
  return Promise.resolve(new ReferenceBackend());
}
