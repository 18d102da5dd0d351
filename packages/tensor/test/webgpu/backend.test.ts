/** @file The device behind the kernels: memory, order, errors as state, limits, the end of the process. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import type { Backend, DeviceBuffer, Program } from '../../src/backend/backend.ts';
import { chooseAdapter, findAdapter, isSoftware } from '../../src/backend/webgpu/adapter.ts';
import { blockSize } from '../../src/backend/webgpu/buffers.ts';
import { hasHardwareAdapter, openWebGPU } from '../../src/backend/webgpu/index.ts';
import { DeviceError } from '../../src/errors.ts';
import type { MapKernel, Value } from '../../src/schedule/kernel.ts';
import { buffersOf, load, planOf } from './harness.ts';

let opened: Backend[] = [];
afterEach(() => {
  opened.forEach((backend) => backend.dispose());
  opened = [];
});

async function open(options: Parameters<typeof openWebGPU>[0] = {}): Promise<Backend> {
  const backend = await openWebGPU(options);
  opened.push(backend);
  return backend;
}

/** `out = x + x` over n elements, from buffer `from` to buffer `to`. */
function double(n: number, from: number, to: number): MapKernel {
  const values: Value[] = [load(0, [1]), { kind: 'op', op: 'add', dtype: 'f32', args: [0, 0] }];
  const [x, y] = buffersOf('f32 w:f32');
  const buffers = [
    { ...x!, id: from },
    { ...y!, id: to },
  ];
  const stores = [{ to: 1, at: { offset: 0, strides: [1] }, value: 1 }];
  return { kind: 'map', label: 'double', buffers, loop: [n], values, stores };
}

function compileChain(backend: Backend, n: number): Program {
  const kernels = [double(n, 0, 1), double(n, 1, 2), double(n, 2, 3)];
  const buffer = { index: 0, size: n, dtype: 'f32' } as const;
  return backend.compile(
    planOf(kernels, [
      { ...buffer, role: 'input' },
      { ...buffer, role: 'scratch' },
      { ...buffer, role: 'scratch', index: 1 },
      { ...buffer, role: 'output' },
    ]),
  );
}

function upload(backend: Backend, data: Float32Array): DeviceBuffer {
  const buffer = backend.allocate(data.length, 'f32');
  void backend.write(buffer, data);
  return buffer;
}

describe('running', () => {
  test('kernels in order through scratch, one submit a run, nothing compiled twice', async () => {
    const backend = await open();
    const program = compileChain(backend, 100);
    const input = upload(
      backend,
      Float32Array.from({ length: 100 }, (_, i) => i),
    );
    const output = backend.allocate(100, 'f32');
    for (let i = 0; i < 3; i++)
      void backend.run(program, [input, undefined, undefined, output], new Uint32Array(0));
    expect(Array.from(await backend.read(output))).toEqual(
      Array.from({ length: 100 }, (_, i) => 8 * i),
    );
    expect(backend.counters).toEqual({ kernels: 9, submits: 3, compiled: 1 });
    program.dispose();
    expect(() =>
      backend.run(program, [input, undefined, undefined, output], new Uint32Array(0)),
    ).toThrow(/disposed/);
  });

  test('write, run and read keep the order of the calls', async () => {
    const backend = await open();
    const program = compileChain(backend, 4);
    const input = upload(backend, Float32Array.of(1, 2, 3, 4));
    const output = backend.allocate(4, 'f32');
    const run = (): void => {
      void backend.run(program, [input, undefined, undefined, output], new Uint32Array(0));
    };
    run();
    const first = backend.read(output);
    void backend.write(input, Float32Array.of(5, 6, 7, 8));
    run();
    const second = backend.read(output);
    expect([...(await first)]).toEqual([8, 16, 24, 32]);
    expect([...(await second)]).toEqual([40, 48, 56, 64]);
  });

  test('elements of every type go in and out unchanged; sizes 0 and odd', async () => {
    const backend = await open();
    const cases = [
      ['f32', Float32Array.of(1.5, -2, NaN)],
      ['i32', Int32Array.of(-7, 2 ** 31 - 1)],
      ['u32', Uint32Array.of(2 ** 32 - 1)],
      ['bool', Uint32Array.of(1, 0, 1)],
      ['f16', Uint16Array.of(0x3c00, 0x1234, 0xffff)],
      ['bf16', Uint16Array.of(1)],
      ['f32', new Float32Array(0)],
    ] as const;
    for (const [dtype, data] of cases) {
      const buffer = backend.allocate(data.length, dtype);
      void backend.write(buffer, data);
      expect(await backend.read(buffer)).toEqual(data);
    }
    const doubles = backend.allocate(2, 'f32');
    void backend.write(doubles, Float64Array.of(0.1, 3));
    expect(await backend.read(doubles)).toEqual(Float32Array.of(0.1, 3));
  });

  test("WebGPU's default limits are enough", async () => {
    const backend = await open({ limits: 'default' });
    expect(backend.info.limits['maxStorageBufferBindingSize']).toBe(2 ** 27);
    expect(backend.scheduleLimits.maxBuffersPerKernel).toBeLessThan(10);
    const program = compileChain(backend, 1000);
    const input = upload(backend, new Float32Array(1000).fill(1));
    const output = backend.allocate(1000, 'f32');
    void backend.run(program, [input, undefined, undefined, output], new Uint32Array(0));
    expect((await backend.read(output))[999]).toBe(8);
  });
});

describe('memory', () => {
  test('blocks waste at most an eighth', () => {
    for (let bytes = 128; bytes < 1e6; bytes = Math.ceil(bytes * 1.013))
      expect(blockSize(bytes) / bytes).toBeLessThanOrEqual(1.126);
    expect(blockSize(0)).toBe(16);
  });

  test('freed memory is used again and does not grow over a thousand runs', async () => {
    const backend = await open();
    const program = compileChain(backend, 1000);
    const input = upload(backend, new Float32Array(1000));
    let peak = 0;
    for (let i = 0; i < 1000; i++) {
      const output = backend.allocate(1000, 'f32');
      void backend.run(program, [input, undefined, undefined, output], new Uint32Array(0));
      backend.free(output);
      if (i === 10) peak = backend.memory().peak;
    }
    await backend.synchronize();
    expect(backend.memory().peak).toBe(peak);
    expect(backend.memory().live).toBe(blockSize(4000));
  });

  test('what no run needs any more goes back to the system', async () => {
    const backend = await open();
    backend.free(backend.allocate(1e6, 'f32'));
    expect(backend.memory().pooled).toBe(blockSize(4e6));
    const program = compileChain(backend, 8);
    const input = upload(backend, new Float32Array(8));
    const output = backend.allocate(8, 'f32');
    for (let i = 0; i < 64; i++)
      void backend.run(program, [input, undefined, undefined, output], new Uint32Array(0));
    await backend.synchronize();
    expect(backend.memory().pooled).toBeLessThan(1000);
  });
});

describe('errors', () => {
  test('a buffer beyond the limits is refused with sizes and advice', async () => {
    const backend = await open({ limits: 'default' });
    expect(() => backend.allocate(2 ** 27, 'f32')).toThrow(DeviceError);
    expect(() => backend.allocate(2 ** 27, 'f32')).toThrow(/512 MiB.*256 MiB.*smaller batch/);
  });

  test('use after free', async () => {
    const backend = await open();
    const buffer = backend.allocate(4, 'f32');
    backend.free(buffer);
    expect(() => backend.free(buffer)).toThrow(/freed/);
    await expect(backend.read(buffer)).rejects.toThrow(/freed/);
  });

  test('a destroyed device poisons the back end', async () => {
    const device = await (await findAdapter(chooseAdapter(undefined))).requestDevice();
    const backend = await openWebGPU({ device });
    const buffer = upload(backend, Float32Array.of(1));
    device.destroy();
    await expect(backend.read(buffer)).rejects.toThrow(/device was lost.*checkpoint/);
    expect(() => backend.allocate(1, 'f32')).toThrow(DeviceError);
    expect(() => compileChain(backend, 4)).toThrow(/device was lost/);
    await expect(backend.synchronize()).rejects.toThrow(DeviceError);
  });

  test('an error that WebGPU reports late poisons the back end', async () => {
    const device = await (await findAdapter(chooseAdapter(undefined))).requestDevice();
    const backend = await openWebGPU({ device });
    opened.push(backend);
    const buffer = upload(backend, Float32Array.of(1));
    device.createBuffer({ size: 16, usage: 0 });
    await expect(backend.read(buffer)).rejects.toThrow(/device reported an error.*usage/i);
    expect(() => backend.write(buffer, Float32Array.of(1))).toThrow(/usage/i);
  });

  test('a kernel that the device refuses is named', async () => {
    const backend = await open();
    const bad = { ...double(4, 0, 1), label: 'sum of nothing', values: [load(0, [1], 0, 'bool')] };
    const stores = [{ ...bad.stores[0]!, value: 0 }];
    const op: Value = { kind: 'op', op: 'exp', dtype: 'f32', args: [0] };
    const kernel = { ...bad, values: [...bad.values, op], stores: [{ ...stores[0]!, value: 1 }] };
    const buffer = { index: 0, size: 4, dtype: 'f32', role: 'input' } as const;
    backend.compile(planOf([kernel], [buffer, buffer]));
    await expect(backend.synchronize()).rejects.toThrow(/refused kernel sum of nothing/);
  });

  test('a dispatch that would bind written memory twice is stopped before the device drops it', async () => {
    const backend = await open();
    const buffer = { index: 0, size: 4, dtype: 'f32', role: 'input' } as const;
    const program = backend.compile(planOf([double(4, 0, 1)], [buffer, buffer]));
    const memory = upload(backend, new Float32Array(4));
    await backend.synchronize();
    expect(() => backend.run(program, [memory, memory], new Uint32Array(0))).toThrow(/binds twice/);
  });
});

describe('finding a device', () => {
  test('names of adapters are checked', () => {
    expect(chooseAdapter('swiftshader')).toBe('swiftshader');
    expect(() => chooseAdapter('cuda')).toThrow(/unknown adapter "cuda".*swiftshader/);
  });

  test.each([
    ['google', 'swiftshader', 'SwiftShader Device (Subzero)', true],
    ['mesa', '', 'llvmpipe: Mesa 25.0.7 (LLVM 15.0.6, 256 bits)', true],
    ['mesa', 'software', '', true],
    ['microsoft', '', 'Microsoft Basic Render Driver', true],
    ['nvidia', 'ampere', 'NVIDIA GeForce RTX 3060', false],
    ['intel', 'gen-12lp', 'Intel(R) Iris(R) Xe Graphics', false],
    ['apple', 'metal-3', '', false],
  ])('%s %s %s computes on the CPU: %s', (vendor, architecture, description, software) => {
    const info = { vendor, architecture, description, device: '', isFallbackAdapter: false };
    expect(isSoftware(info as GPUAdapterInfo)).toBe(software);
  });

  test('drivers take turns and leave the environment as it was', async () => {
    const names = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'];
    const before = names.map((name) => process.env[name]);
    const [one, , other] = await Promise.all([open(), hasHardwareAdapter(), open()]);
    expect(other!.info).toEqual(one!.info);
    expect(names.map((name) => process.env[name])).toEqual(before);
  });

  test('a software adapter is not taken for hardware', async () => {
    await open();
    const answer = await hasHardwareAdapter();
    expect(typeof answer).toBe('boolean');
    if (!answer) await expect(openWebGPU({ adapter: 'hardware' })).rejects.toThrow(/no GPU found/);
  });

  // On the build of `npm install`, since Node 20 runs no TypeScript.
  test('the process ends by itself, with work in flight and nothing disposed', async () => {
    const script = `
      const { openWebGPU } = await import('./packages/tensor/dist/backend/webgpu/index.js');
      const backend = await openWebGPU({ adapter: 'swiftshader' });
      const buffer = backend.allocate(4, 'f32');
      backend.write(buffer, Float32Array.of(1, 2, 3, 4));
      console.log(String(await backend.read(buffer)));
      void backend.read(buffer);`;
    const root = new URL('../../../../', import.meta.url).pathname;
    const args = ['--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: root,
      timeout: 20000,
    });
    expect(stdout.trim()).toBe('1,2,3,4');
  }, 30000);
});
