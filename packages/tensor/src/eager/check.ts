/** @file One op's result on a device against the reference interpreter, from the same inputs. */
import type { Device } from '../device.ts';
import { fromBf16, fromF16, type DType, type TypedArray } from '../dtype.ts';
import { DeviceError } from '../errors.ts';
import type { Node, Storage } from '../graph/node.ts';
import { evaluate, type Scope, type Values } from '../backend/reference/interpreter.ts';
import { showShape } from '../shape.ts';
import { errorBound } from './bound.ts';

/** What an eager run keeps of one op until it is checked. */
export interface Executed {
  readonly node: Node;
  /** Memory of the inputs; a node where an input is a literal or a host number. */
  readonly inputs: readonly (Storage | Node)[];
  readonly result: Storage;
}

/** Reads all values of a run (the device may reuse their memory afterwards), and checks op by op. */
export function checkAll(target: Device, executed: readonly Executed[]): Promise<void> {
  const reads = new Map<Storage, Promise<Values>>();
  const read = (storage: Storage): Promise<Values> => {
    const known = reads.get(storage) ?? readValues(target, storage);
    reads.set(storage, known);
    return known;
  };
  const jobs = executed.map(({ node, inputs, result }) => ({
    node,
    inputs: inputs.map((input) => ('op' in input ? literal(input) : read(input))),
    result: read(result),
  }));
  return checkInOrder(target, jobs);
}

interface Job {
  readonly node: Node;
  readonly inputs: readonly (Values | Promise<Values>)[];
  readonly result: Promise<Values>;
}

async function checkInOrder(target: Device, jobs: readonly Job[]): Promise<void> {
  for (const { node, inputs, result } of jobs) {
    const values: Values[] = [];
    for (const input of inputs) values.push(await input);
    compare(target, node, values, await result);
  }
}

async function readValues(target: Device, storage: Storage): Promise<Values> {
  const data: TypedArray = await target.backend.read(target.bufferOf(storage));
  if (data instanceof Uint16Array)
    return Float64Array.from(data, storage.dtype === 'f16' ? fromF16 : fromBf16);
  return Float64Array.from(data);
}

const SCOPE: Scope = {
  leaf: () => new Float64Array(),
  number: ({ attrs, dtype }) => (dtype === 'f32' ? Math.fround(attrs.value) : attrs.value),
};

function literal(node: Node): Values {
  return narrow(evaluate(node, [], SCOPE), node.dtype);
}

/** As memory of the type holds it. */
function narrow(values: Values, dtype: DType): Values {
  return dtype === 'f32' ? values.map(Math.fround) : values;
}

function compare(target: Device, node: Node, inputs: readonly Values[], got: Values): void {
  const exact = evaluate(node, inputs, SCOPE);
  const expected = narrow(exact, node.dtype);
  const bound = errorBound(node, inputs, SCOPE, exact);
  const wrong = expected.findIndex((x, i) => !within(x, got[i]!, bound(i)));
  if (wrong < 0) return;
  const name = 'name' in node.attrs ? node.attrs.name : node.op;
  const shapes = node.inputs.map(({ dtype, shape }) => `${dtype} ${showShape(shape)}`).join(', ');
  throw new DeviceError(
    `eager: ${name}(${shapes}) on ${target.info.backend} (${target.info.adapter}): element ${wrong} of ` +
      `${node.dtype} ${showShape(node.shape)} is ${got[wrong]}, the reference has ${expected[wrong]} (largest error ` +
      `allowed ${bound(wrong)})`,
  );
}

function within(expected: number, got: number, bound: number): boolean {
  if (Number.isNaN(expected)) return Number.isNaN(got);
  return expected === got || Math.abs(expected - got) <= bound;
}
