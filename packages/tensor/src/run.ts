/** @file One run of a program: inputs uploaded where they are not yet, outputs given memory, results handed over. */
import type { DeviceBuffer, Program } from './backend/backend.ts';
import type { Device } from './device.ts';
import { f32Bits, type DType } from './dtype.ts';
import { invariant } from './errors.ts';
import type { Graph } from './graph/graph.ts';
import { nodeSize, succeed, type Storage } from './graph/node.ts';
import { trace, type Trace, type Wanted } from './graph/trace.ts';
import { ifRefused, markLate, onceSure } from './late.ts';
import type { Plan } from './schedule/plan.ts';
import { interpretPlan, schedule } from './schedule/schedule.ts';

/** A result of a run. */
export interface RunOutput {
  readonly dtype: DType;
  /** Elements. */
  readonly size: number;
  /** Memory that it takes the place of, if any. */
  readonly replaces: Storage | undefined;
}

/** The data of one run, in the numbering of the program's graph. */
export interface RunData {
  readonly inputs: readonly Storage[];
  /** Host numbers as 32-bit words, by slot. */
  readonly words: Uint32Array;
  readonly outputs: readonly RunOutput[];
}

/** Computes wanted nodes; the memory of each. */
export function runWanted(target: Device, wanted: readonly Wanted[]): Storage[] {
  const traced = trace(wanted);
  return execute(target, programOf(target, traced), runData(traced, wanted));
}

/** The compiled program of a trace. */
export function programOf(target: Device, traced: Trace): Program {
  return target.program(traced.key, () => target.backend.compile(planOf(traced.graph(), target)));
}

function planOf(graph: Graph, target: Device): Plan {
  if (target.info.backend === 'reference') return interpretPlan(graph);
  return schedule(graph, target.backend.scheduleLimits);
}

/** The data that a trace found. */
export function runData(traced: Trace, wanted: readonly Wanted[]): RunData {
  const outputs = wanted.map(({ node, replaces }) => ({
    dtype: node.dtype,
    size: nodeSize(node),
    replaces,
  }));
  const words = Uint32Array.from(traced.scalars, (node) => {
    invariant(node.op === 'scalar', 'scalar slots hold scalar nodes');
    return wordOf(node.attrs.value, node.dtype);
  });
  return { inputs: traced.inputs, words, outputs };
}

/** A host number as the 32-bit word that a device reads. */
export function wordOf(value: number, dtype: DType): number {
  if (dtype === 'f32') return f32Bits(value);
  if (dtype === 'bool') return value ? 1 : 0;
  return value >>> 0;
}

/** Runs a program; the memory of each output. A run that fails keeps no memory. */
export function execute(target: Device, program: Program, data: RunData): Storage[] {
  const { plan } = program;
  const bindings = bindInputs(target, plan, data.inputs);
  let late: Promise<void> | undefined;
  try {
    reserveOutputs(target, plan, bindings);
    late = target.backend.run(program, bindings, data.words);
  } catch (error) {
    releaseOutputs(target, plan, bindings);
    throw error;
  }
  return data.outputs.map((output, i) => {
    const result = emptyStorage(output);
    if (late) markLate(result, late);
    const id = plan.outputs[i]!;
    const { role, index } = plan.buffers[id]!;
    if (role === 'input') handOver(target, data.inputs[index]!, result);
    else giveMemory(target, result, bindings[id], output.replaces);
    return result;
  });
}

type Bindings = (DeviceBuffer | undefined)[];

/** Memory of the inputs by plan buffer. */
function bindInputs(target: Device, plan: Plan, inputs: readonly Storage[]): Bindings {
  return plan.buffers.map(({ role, index }) =>
    role === 'input' ? target.bufferOf(inputs[index]!) : undefined,
  );
}

function reserveOutputs(target: Device, plan: Plan, bindings: Bindings): void {
  plan.buffers.forEach(({ role, size, dtype }, i) => {
    if (role === 'output') bindings[i] = target.allocate(size, dtype);
  });
}

function releaseOutputs(target: Device, plan: Plan, bindings: Bindings): void {
  plan.buffers.forEach(({ role }, i) => {
    if (role === 'output' && bindings[i]) target.backend.free(bindings[i]);
  });
}

function emptyStorage({ dtype, size }: RunOutput): Storage {
  return { dtype, size, host: undefined, device: undefined, disposed: false };
}

/** The result was written over an input. */
function handOver(target: Device, old: Storage, result: Storage): void {
  target.handOver(old, result);
  succeed(old, result);
  ifRefused(result, () => {
    if (result.device) target.handOver(result, old);
    old.disposed = false;
    if (old.lineage) old.lineage.current = old;
  });
}

/** The result has memory of its own; what it takes the place of is spent. */
function giveMemory(
  target: Device,
  result: Storage,
  memory: DeviceBuffer | undefined,
  replaces: Storage | undefined,
): void {
  invariant(memory, 'an output has no memory');
  target.own(result, memory);
  ifRefused(result, () => {
    result.device?.release();
    result.disposed = true;
  });
  if (!replaces) return;
  replaces.disposed = true;
  succeed(replaces, result);
  onceSure(result, () => replaces.device?.release());
  ifRefused(result, () => {
    replaces.disposed = false;
    if (replaces.lineage) replaces.lineage.current = replaces;
  });
}
