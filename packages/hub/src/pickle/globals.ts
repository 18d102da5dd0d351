/**
 * @file The functions that a checkpoint may name, and what each gives. They rebuild tensors; every other name is refused,
 * so reading a file can run no code of its own. The list is that of what `torch.save` writes for a state dict.
 */
import { InputError } from '@camada/tensor';
import { GlobalName, Storage, StoredTensor, type PickleValue } from './values.ts';

/** Element types of storages, by the name that safetensors gives them. */
const STORAGES: Readonly<Record<string, string>> = {
  'torch.FloatStorage': 'F32',
  'torch.HalfStorage': 'F16',
  'torch.BFloat16Storage': 'BF16',
  'torch.DoubleStorage': 'F64',
  'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32',
  'torch.ShortStorage': 'I16',
  'torch.CharStorage': 'I8',
  'torch.ByteStorage': 'U8',
  'torch.BoolStorage': 'BOOL',
};

/** Most axes of a tensor; PyTorch has 64. */
const MAX_AXES = 64;

type Builder = (args: readonly PickleValue[], file: string) => PickleValue;

const BUILDERS: Readonly<Record<string, Builder>> = {
  'collections.OrderedDict': (args, file) => orderedDict(args, file),
  'torch._utils._rebuild_tensor': (args, file) => rebuildTensor(args, file),
  'torch._utils._rebuild_tensor_v2': (args, file) => rebuildTensor(args, file),
  'torch._utils._rebuild_parameter': ([data], file) => {
    if (data instanceof StoredTensor) return data;
    throw malformed(file, 'a parameter without a tensor');
  },
  'torch.Size': ([sizes], file) => {
    if (Array.isArray(sizes)) return sizes;
    throw malformed(file, 'a size without numbers');
  },
};

/** A name that a file uses. Throws `InputError` unless it is on the list. */
export function allowedGlobal(name: string, file: string): GlobalName {
  if (Object.hasOwn(STORAGES, name) || Object.hasOwn(BUILDERS, name)) return new GlobalName(name);
  throw new InputError(
    `${file} asks for ${JSON.stringify(name.slice(0, 80))}, which is no part of a plain state dict and is never run; ` +
      'save the weights alone, best as safetensors.',
  );
}

/** What a name gives for its arguments. Throws `InputError` when they are not what `torch.save` writes. */
export function callGlobal(callee: PickleValue, args: PickleValue, file: string): PickleValue {
  const build = callee instanceof GlobalName ? BUILDERS[callee.name] : undefined;
  if (build && Array.isArray(args)) return build(args, file);
  throw malformed(file, 'a call of something that is no function');
}

/** The storage of a persistent id: `('storage', type, key, location, elements)`. */
export function storageOf(id: PickleValue, file: string): Storage {
  if (Array.isArray(id) && id.length === 5 && id[0] === 'storage') {
    const [, type, key, , elements] = id;
    const stored = type instanceof GlobalName ? STORAGES[type.name] : undefined;
    if (stored !== undefined && typeof key === 'string' && isCount(elements))
      return new Storage(stored, key, elements);
  }
  throw malformed(file, 'a storage that is not described as PyTorch does');
}

/** PyTorch fills dictionaries afterwards; one made from pairs could be made large from few bytes. */
function orderedDict({ length }: readonly PickleValue[], file: string): PickleValue {
  if (length === 0) return new Map<PickleValue, PickleValue>();
  throw malformed(file, 'a dictionary made of pairs');
}

/** Arguments: storage, offset, shape, strides, and others that say nothing about the values. */
function rebuildTensor(args: readonly PickleValue[], file: string): StoredTensor {
  const [storage, offset, shape, strides] = args;
  if (storage instanceof Storage && isCount(offset) && isCounts(shape) && isCounts(strides)) {
    if (shape.length === strides.length) return new StoredTensor(storage, offset, shape, strides);
  }
  throw malformed(file, 'a tensor that is not described as PyTorch does');
}

function isCount(value: PickleValue | undefined): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isCounts(value: PickleValue | undefined): value is number[] {
  return Array.isArray(value) && value.length <= MAX_AXES && value.every(isCount);
}

/** The error for a pickle that is not what `torch.save` writes. */
export function malformed(file: string, problem: string): InputError {
  return new InputError(
    `${file} is no PyTorch checkpoint that can be read: it holds ${problem}; save it again as safetensors.`,
  );
}
