/** @file The tensors that an optimizer keeps for each parameter. */
import {
  InputError,
  realize,
  sizeOf,
  tensor,
  type Shape,
  type Tensor,
  type TypedArray,
} from '@camada/tensor';
import type { OptimizerState } from './optimizer.ts';

/** Zero-initialised tensors of one kind, at most one a parameter. */
export type Slots = ReadonlyMap<string, Tensor>;

/** Shape of a slot for a parameter of some shape; undefined where it has none. Words of packed numbers are i32. */
export interface SlotShapes {
  (shape: Shape): Shape | undefined;
  readonly words?: true;
}

function emptySlot({ words }: SlotShapes, size: number): Float32Array | Int32Array {
  return words ? new Int32Array(size) : new Float32Array(size);
}

/** A tensor of zeros beside each parameter. */
export function zeroSlots(parameters: ReadonlyMap<string, Tensor>, shapes: SlotShapes): Slots {
  const result = new Map<string, Tensor>();
  for (const [name, parameter] of parameters) {
    const shape = shapes(parameter.shape);
    if (shape) result.set(name, tensor(emptySlot(shapes, sizeOf(shape)), shape));
  }
  return result;
}

/** Reads slots of several kinds, named `<parameter>.<kind>`. */
export async function exportSlots(
  steps: number,
  kinds: Readonly<Record<string, Slots>>,
): Promise<OptimizerState> {
  await realize(Object.values(kinds).flatMap((slots) => [...slots.values()]));
  const tensors = new Map<string, TypedArray>();
  for (const [kind, slots] of Object.entries(kinds))
    for (const [name, slot] of slots) tensors.set(`${name}.${kind}`, await slot.data());
  return { steps, tensors };
}

/** Slots of one kind from a saved state. Throws InputError when one is missing or of another size. */
export function importSlots(
  state: OptimizerState,
  kind: string,
  parameters: ReadonlyMap<string, Tensor>,
  shapes: SlotShapes,
): Slots {
  const result = new Map<string, Tensor>();
  for (const [name, parameter] of parameters) {
    const shape = shapes(parameter.shape);
    if (!shape) continue;
    const saved = state.tensors.get(`${name}.${kind}`);
    if (saved?.length !== sizeOf(shape))
      throw new InputError(
        `optimizer state: '${name}.${kind}' has ${saved?.length ?? 'no'} elements, the parameter needs ` +
          `${sizeOf(shape)}: the state was saved for another model, selection or optimizer`,
      );
    const data = emptySlot(shapes, saved.length);
    data.set(saved);
    result.set(name, tensor(data, shape));
  }
  return result;
}
