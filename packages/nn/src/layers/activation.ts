/** @file Activation functions by the names of Hugging Face's `hidden_act`. */
import { InputError, type Tensor } from '@camada/tensor';

/** An elementwise function. */
export type Activation = (x: Tensor) => Tensor;

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  gelu: (x) => x.gelu(),
  gelu_new: (x) => x.geluTanh(),
  gelu_pytorch_tanh: (x) => x.geluTanh(),
  relu: (x) => x.relu(),
  sigmoid: (x) => x.sigmoid(),
  silu: (x) => x.silu(),
  swish: (x) => x.silu(),
  tanh: (x) => x.tanh(),
};

/** The activation of a name such as `gelu` (erf form) or `silu`. Throws InputError on an unknown one. */
export function activation(name: string): Activation {
  const found = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (found) return found;
  const known = Object.keys(ACTIVATIONS).join(', ');
  throw new InputError(`activation '${name}' is not supported; supported are ${known}`);
}
