/** @file Results that can be computed a second time, for gradients that keep no activations. */
import { nextSerial } from './graph/node.ts';
import { recompute, regionSince } from './graph/region.ts';
import { Tensor } from './tensor.ts';

/** A result and the way to it. */
export interface Recomputable {
  readonly value: Tensor;
  /** What the computation read: tensors that were there before, memory and host numbers. */
  readonly boundary: readonly Tensor[];
  /**
   * The computation again, from `boundary` (stand-ins for the given one, in order), apart from the first
   * time and no earlier than `after` is known. Returns its result and the tensors that it read.
   */
  readonly again: (
    boundary: readonly Tensor[],
    after: Tensor,
  ) => { readonly value: Tensor; readonly boundary: readonly Tensor[] };
}

/** Runs `f`, which builds a result, and finds what it read. Random numbers come again, since their keys do. */
export function recomputable(f: () => Tensor): Recomputable {
  const since = nextSerial();
  const value = f();
  const region = regionSince(value.node, since);
  return {
    value,
    boundary: region.boundary.map(Tensor.of),
    again: (boundary, after) => {
      const values = boundary.map((x) => x.node);
      const copy = recompute(region, values, after.node);
      return { value: Tensor.of(copy.root), boundary: copy.boundary.map(Tensor.of) };
    },
  };
}
