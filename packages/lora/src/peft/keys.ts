/**
 * @file Names of the tensors in `adapter_model.safetensors` (PEFT, `utils/save_and_load.py`): the path of the
 * module under `base_model.model.`, then the part; the adapter's own name is left out.
 */
import { InputError } from '@camada/tensor';

const PREFIX = 'base_model.model.';

/** Parts of an adapter; `lora_A` is [R, in], `lora_B` [out, R], the embedding's A [R, V] and B [C, R]. */
export type LoraPart = 'lora_A' | 'lora_B' | 'lora_embedding_A' | 'lora_embedding_B';

/** What a key stands for: a part of a module's adapter, or a parameter that is stored in full. */
export type AdapterKey =
  | { readonly kind: 'lora'; readonly path: string; readonly part: LoraPart }
  | { readonly kind: 'parameter'; readonly name: string };

/** The key of a part; the parts of embeddings have no `.weight`. */
export function loraKey(path: string, part: LoraPart): string {
  const ending = part === 'lora_A' || part === 'lora_B' ? '.weight' : '';
  return `${PREFIX}${path}.${part}${ending}`;
}

/** The key of a parameter that is stored in full, such as `classifier.weight`. */
export function parameterKey(name: string): string {
  return PREFIX + name;
}

/** Reads a key. Throws `InputError` on one that is not PEFT's or belongs to another method. */
export function parseKey(key: string, file: string): AdapterKey {
  if (!key.startsWith(PREFIX)) {
    throw new InputError(
      `${file}: the tensor "${key}" does not begin with ${PREFIX}; only adapters saved by PEFT or Camada are read.`,
    );
  }
  const rest = key.slice(PREFIX.length);
  const lora = /^(.+)\.(?:(lora_[AB])\.weight|(lora_embedding_[AB]))$/.exec(rest);
  const path = lora?.[1];
  const part = lora?.[2] ?? lora?.[3];
  if (path !== undefined && isPart(part)) return { kind: 'lora', path, part };
  if (!/\.(lora_|ia3_|ada[_p]|vera_|token_adapter)/.test(rest))
    return { kind: 'parameter', name: rest };
  throw new InputError(
    `${file}: the tensor "${key}" belongs to a kind of adapter that is not supported; only plain LoRA is read.`,
  );
}

function isPart(part: string | undefined): part is LoraPart {
  return part !== undefined && /^lora_(embedding_)?[AB]$/.test(part);
}
