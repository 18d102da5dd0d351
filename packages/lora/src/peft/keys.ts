/**
 * @file Names of the tensors in `adapter_model.safetensors` (PEFT, `utils/save_and_load.py`): the path of the
 * module under `base_model.model.`, then the part; the adapter's own name is left out.
 */
import { InputError } from '@camada/tensor';
import type { Method } from '../method/method.ts';

const PREFIX = 'base_model.model.';

/** Begins in names of parts of PEFT's methods: what has one, and is no part of the method at hand, is not understood. */
const FOREIGN =
  /(^|\.)(lora_|ia3_|ada[_p]|vera_|oft_|boft_|hada_|lokr_|hra_|vblora_|ln_tuning|token_adapter|adaption_|prompt_)/;

/** What a key stands for: a part of a layer, a tensor of the whole adapter, or a parameter stored in full. */
export type AdapterKey =
  | { readonly kind: 'layer'; readonly path: string; readonly suffix: string }
  | { readonly kind: 'shared'; readonly key: string }
  | { readonly kind: 'parameter'; readonly name: string }
  /** A second copy of a bias in a module of `modules_to_save`, which PEFT writes with bias 'all'. */
  | { readonly kind: 'copy' };

/** The key of a part of a layer. */
export function layerKey(path: string, suffix: string): string {
  return `${PREFIX}${path}.${suffix}`;
}

/** The key of a parameter that is stored in full, such as `classifier.weight`. */
export function parameterKey(
  name: string,
  { prefix = PREFIX }: Pick<Method, 'prefix'> = {},
): string {
  return prefix + name;
}

/** Reads a key. Throws `InputError` on one that is not PEFT's or belongs to another method. */
export function parseKey(key: string, method: Method, file: string): AdapterKey {
  const own = method.kind === 'model' ? method.owns(key) : method.sharedKeys?.includes(key);
  if (own) return { kind: 'shared', key };
  const { prefix = PREFIX } = method;
  if (!key.startsWith(prefix)) {
    throw new InputError(
      `${file}: the tensor "${key}" does not begin with ${prefix}; only adapters saved by PEFT or Camada are read.`,
    );
  }
  const rest = key.slice(prefix.length);
  const suffixes = method.kind === 'layers' ? method.suffixes : [];
  for (const suffix of suffixes)
    if (rest.endsWith(`.${suffix}`))
      return { kind: 'layer', path: rest.slice(0, -suffix.length - 1), suffix };
  if (/\.(modules_to_save|original_module)\./.test(rest)) return { kind: 'copy' };
  if (!FOREIGN.test(rest))
    return { kind: 'parameter', name: rest.replace('.base_layer.bias', '.bias') };
  throw new InputError(
    `${file}: the tensor "${key}" belongs to a kind of adapter other than ${method.peftType}, or to a part of it ` +
      'that is not supported.',
  );
}
