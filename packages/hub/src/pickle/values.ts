/** @file What a pickled checkpoint may hold: plain values, and tensors as views of storages. Nothing here can run. */

/** A range of numbers in an entry of the zip file. */
export class Storage {
  /** Element type by its name in safetensors, such as `F32`. */
  readonly type: string;
  /** Name of the entry below `data/`. */
  readonly key: string;
  /** Length in elements. */
  readonly elements: number;

  /** A storage of `elements` elements of a type. */
  constructor(type: string, key: string, elements: number) {
    this.type = type;
    this.key = key;
    this.elements = elements;
  }
}

/** A tensor: a view of a storage. All numbers count elements. */
export class StoredTensor {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  /** A view from `offset` on. */
  constructor(
    storage: Storage,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/** A function or class of Python, by name only. */
export class GlobalName {
  readonly name: string;

  /** `module.name`. */
  constructor(name: string) {
    this.name = name;
  }
}

/** A value on the stack of the machine. */
export type PickleValue =
  | null
  | boolean
  | number
  | string
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | GlobalName
  | Storage
  | StoredTensor;
