/** @file All that a run needs to go on where it stopped: what trains, the optimizer's state, the number of steps done. */
import {
  InputError,
  dtypeOf,
  realize,
  sameShape,
  showShape,
  tensor,
  type Tensor,
} from '@camada/tensor';
import type { TensorData } from '@camada/hub';
import type { Optimizer } from '@camada/nn';
import type { TrainingHooks } from './hooks.ts';

/** A run between two steps; order of data and dropout follow from its seed and the number of steps. */
export interface TrainingState {
  /** Steps done. */
  readonly step: number;
  /** `parameter/NAME`, `optimizer/NAME.SLOT` and `method/NAME`. */
  readonly tensors: ReadonlyMap<string, TensorData>;
}

/** What the state of a run is taken from and put back into. */
export interface Trained {
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly optimizer: Optimizer;
  readonly hooks: TrainingHooks;
}

const [PARAMETER, OPTIMIZER, METHOD] = ['parameter/', 'optimizer/', 'method/'] as const;

/** Whether a run of a method can go on from a state: a method that observes must say what it has seen. */
export function canResume(hooks: TrainingHooks): boolean {
  return hooks.group === undefined && (!hooks.observe || hooks.state !== undefined);
}

/** Reads everything from the device. */
export async function readState(
  step: number,
  { parameters, optimizer, hooks }: Trained,
): Promise<TrainingState> {
  const tensors = new Map<string, TensorData>();
  const put = async (prefix: string, named: ReadonlyMap<string, Tensor>): Promise<void> => {
    for (const [name, value] of named) tensors.set(prefix + name, await dataOf(value));
  };
  await put(PARAMETER, parameters);
  await put(METHOD, hooks.state ?? new Map());
  for (const [name, data] of (await optimizer.state()).tensors)
    tensors.set(OPTIMIZER + name, { dtype: dtypeOf(data), shape: [data.length], data });
  return { step, tensors };
}

async function dataOf(value: Tensor): Promise<TensorData> {
  const { dtype, shape } = value;
  if (dtype !== 'f32')
    throw new InputError(`a checkpoint holds f32 parameters only, and one that trains is ${dtype}`);
  return { dtype, shape, data: Float32Array.from(await value.data()) };
}

/** Puts a state back. Throws InputError, and changes nothing, when it is one of other parameters. */
export async function restoreState(
  { step, tensors }: TrainingState,
  { parameters, optimizer, hooks }: Trained,
): Promise<void> {
  const named = [...prefixed(PARAMETER, parameters), ...prefixed(METHOD, hooks.state ?? new Map())];
  const values = named.map(([name, target]) => valueOf(tensors, name, target));
  const slots = [...tensors]
    .filter(([name]) => name.startsWith(OPTIMIZER))
    .map(([name, { data }]) => [name.slice(OPTIMIZER.length), data] as const);
  optimizer.load({ steps: step, tensors: new Map(slots) });
  named.forEach(([, target], i) => target.assign(values[i]!));
  await realize(named.map(([, target]) => target));
}

function prefixed(prefix: string, named: ReadonlyMap<string, Tensor>): [string, Tensor][] {
  return [...named].map(([name, value]) => [prefix + name, value]);
}

function valueOf(
  tensors: ReadonlyMap<string, TensorData>,
  name: string,
  { shape }: Tensor,
): Tensor {
  const found = tensors.get(name);
  if (found?.dtype === 'f32' && sameShape(found.shape, shape))
    return tensor(Float32Array.from(found.data), shape);
  throw new InputError(
    `the checkpoint has ${found ? `${found.dtype} ${showShape(found.shape)}` : 'nothing'} for '${name}', but the run ` +
      `needs f32 ${showShape(shape)}: it was saved by another run; start anew without resuming`,
  );
}
