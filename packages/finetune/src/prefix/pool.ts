/** @file Vectors [C], one a token, kept on the device, in host memory or on disk, and looked up by number. */
import { InputError, capture, fromF16, tensor, toF16, type Tensor } from '@camada/tensor';

/** Where vectors are kept. */
export type Place = 'device' | 'host' | 'disk';

/** Numbers as they are kept. */
type Stored = Float32Array | Uint16Array;

/** Vectors that are written once, in order, and then read. */
export interface Pool {
  readonly place: Place;
  /** Appends vectors [n, C]. */
  append(values: Float32Array): void;
  /** Nothing more is appended. */
  seal(): void;
  /** The vectors of these numbers, f32 [n, C]; zeros for −1. */
  rows(numbers: Int32Array): Promise<Tensor>;
  dispose(): void;
}

/** What a pool is made for. */
export interface PoolSize {
  /** Vectors in all. */
  readonly count: number;
  /** C. */
  readonly width: number;
  /** 16 bits a number. */
  readonly f16: boolean;
}

/** Bytes of a pool. */
export function poolBytes({ count, width, f16 }: PoolSize): number {
  return (count + 1) * width * (f16 ? 2 : 4);
}

/** An empty pool. Throws InputError when the disk refuses. */
export async function createPool(place: Place, size: PoolSize): Promise<Pool> {
  if (place === 'disk') return DiskPool.open(size);
  return place === 'host' ? new HostPool(size) : new DevicePool(size);
}

function emptyVectors({ f16 }: PoolSize, numbers: number): Stored {
  return f16 ? new Uint16Array(numbers) : new Float32Array(numbers);
}

function asStored(values: Float32Array, { f16 }: PoolSize): Stored {
  return f16 ? Uint16Array.from(values, toF16) : values;
}

function asTensor(values: Stored, width: number): Tensor {
  const numbers = values instanceof Uint16Array ? Float32Array.from(values, fromF16) : values;
  return tensor(numbers, [numbers.length / width, width]);
}

/** Vectors in one array. */
class HostPool implements Pool {
  readonly place: Place = 'host';
  protected readonly size: PoolSize;
  /** The last vector is the one of zeros. */
  protected values: Stored;
  #filled = 0;

  constructor(size: PoolSize) {
    this.size = size;
    this.values = emptyVectors(size, (size.count + 1) * size.width);
  }

  append(values: Float32Array): void {
    this.values.set(asStored(values, this.size), this.#filled);
    this.#filled += values.length;
  }

  seal(): void {
    // Rows are read from the array as it is.
  }

  async rows(numbers: Int32Array): Promise<Tensor> {
    const { width } = this.size;
    const found = emptyVectors(this.size, numbers.length * width);
    numbers.forEach((number, i) => {
      if (number >= 0)
        found.set(this.values.subarray(number * width, (number + 1) * width), i * width);
    });
    return asTensor(found, width);
  }

  dispose(): void {
    this.values = emptyVectors(this.size, 0);
  }
}

/** Vectors in one tensor [N + 1, C]. */
class DevicePool extends HostPool {
  override readonly place: Place = 'device';
  #table: Tensor | undefined;
  readonly #look = capture((index: Tensor) => this.#table!.gather(index).cast('f32'));

  override seal(): void {
    const { width, count, f16 } = this.size;
    this.#table = tensor(this.values, [count + 1, width], f16 ? 'f16' : 'f32');
    super.dispose(); // the tensor uploads the array at its first use and drops it
  }

  override async rows(numbers: Int32Array): Promise<Tensor> {
    const last = this.size.count;
    const index = tensor(numbers.map((number) => (number < 0 ? last : number)));
    const found = await this.#look(index); // [n, C]
    index.dispose();
    return found;
  }

  override dispose(): void {
    this.#table?.dispose();
    super.dispose();
  }
}

/** Vectors in a temporary file. */
class DiskPool implements Pool {
  readonly place: Place = 'disk';
  readonly #size: PoolSize;
  readonly #fs: typeof import('node:fs');
  readonly #folder: string;
  readonly #file: number;

  private constructor(size: PoolSize, fs: typeof import('node:fs'), folder: string) {
    this.#size = size;
    this.#fs = fs;
    this.#folder = folder;
    this.#file = fs.openSync(`${folder}/vectors`, 'w+');
  }

  static async open(size: PoolSize): Promise<DiskPool> {
    const [fs, os] = [await import('node:fs'), await import('node:os')];
    try {
      return new DiskPool(size, fs, fs.mkdtempSync(`${os.tmpdir()}/camada-prefix-`));
    } catch (error) {
      throw new InputError(
        `hidden states cannot be kept on disk (${String(error)}); set diskBytes to 0, or TMPDIR to another folder.`,
        { cause: error },
      );
    }
  }

  append(values: Float32Array): void {
    const bytes = asBytes(asStored(values, this.#size));
    for (let at = 0; at < bytes.length;) at += this.#fs.writeSync(this.#file, bytes, at);
  }

  seal(): void {
    // Rows are read from the file as it is.
  }

  async rows(numbers: Int32Array): Promise<Tensor> {
    const { width } = this.#size;
    const found = emptyVectors(this.#size, numbers.length * width);
    const vector = width * found.BYTES_PER_ELEMENT;
    const bytes = asBytes(found);
    for (let i = 0; i < numbers.length;) {
      const run = runLength(numbers, i);
      if (numbers[i]! >= 0)
        this.#read(bytes.subarray(i * vector, (i + run) * vector), numbers[i]! * vector);
      i += run;
    }
    return asTensor(found, width);
  }

  #read(target: Uint8Array, from: number): void {
    for (let at = 0; at < target.length;) {
      const got = this.#fs.readSync(this.#file, target, at, target.length - at, from + at);
      if (got === 0) throw new InputError(`${this.#folder} was changed while training read it`);
      at += got;
    }
  }

  dispose(): void {
    this.#fs.closeSync(this.#file);
    this.#fs.rmSync(this.#folder, { recursive: true, force: true });
  }
}

function asBytes({ buffer, byteOffset, byteLength }: Stored): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** How many numbers from here on follow one another, or are −1. */
function runLength(numbers: Int32Array, from: number): number {
  const first = numbers[from]!;
  let length = 1;
  while (
    from + length < numbers.length &&
    numbers[from + length] === (first < 0 ? -1 : first + length)
  )
    length++;
  return length;
}
