/**
 * @file Tensors larger than one binding on the device: what splits, how often, that it stays right, and what is said of
 * what cannot be split. Limits are pretended, so that small tensors do.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { concat, Device, DeviceError, zeros, tensor, useDevice, type Tensor } from '@camada/tensor';
import { openWebGPU, type WebGPUOptions } from '../../src/backend/webgpu/index.ts';
import type { AdapterFacts } from '../../src/backend/webgpu/wgsl/facts.ts';
import { compute } from '../laws/devices.ts';
import { values } from '../laws/generate.ts';
import { difference } from '../laws/compare.ts';

const KIB = 1024;
let devices: Device[] = [];
afterEach(() => {
  devices.forEach((device) => device.dispose());
  devices = [];
});

async function open(options: WebGPUOptions): Promise<Device> {
  const device = new Device(await openWebGPU(options));
  devices.push(device);
  useDevice(device);
  return device;
}

const GPU = { cpu: false, maxInvocations: 256, workgroupBytes: 16 * KIB } as const;

/** Indices below `rows`. */
function indices(count: number, rows: number): Tensor {
  return tensor(Int32Array.from({ length: count }, (_, i) => (i * 7919) % rows));
}

/** Programs over x [320, 200] (250 KiB) and y [200, 96] (75 KiB). */
const PROGRAMS: Readonly<Record<string, (x: Tensor, y: Tensor) => Tensor | Tensor[]>> = {
  'elementwise, transposed': (x) => x.transpose().mul(2).add(x.transpose().square()),
  'sum of all': (x) => x.mul(x).sum(),
  'sum down the columns, max of all': (x) => [x.sum(0), x.max()],
  'softmax of rows': (x) => x.softmax(),
  'softmax of one long row': (x) => x.reshape([64_000]).softmax(),
  'softmax down the columns': (x) => x.softmax(0),
  'layer norm': (x) => x.sub(x.mean(-1, true)).div(x.variance(-1, true).add(1e-5).sqrt()),
  'matmul with an epilogue': (x, y) => x.matmul(y).gelu().add(1),
  'matmul over a long sum': (x, y) => y.transpose().matmul(x.transpose()).tanh(),
  'transposed result': (x, y) => x.matmul(y).transpose().square(),
  'look-up in a large table': (x) => x.gather(indices(70, 320)).mul(3),
  'sums by index': (x) => zeros([330, x.shape[1]!]).indexAdd(0, indices(320, 330), x).add(1),
  'a tensor and itself reversed in halves': (x) =>
    x.add(concat([x.slice(0, 160, 320), x.slice(0, 0, 160)], 0)),
  'every third element backwards': (x) => x.slice(1, -1, undefined, -3).flip(0).mul(2),
  'zeros between elements': (x) => x.pad([1, 0], [0, 2], 0, [1, 2]).add(1),
  'a mirrored border': (x) => x.pad([3, 2], [1, 4], 'reflect').mul(2),
  'windows that overlap': (x) => x.unfold(0, 5, 2).max(-1),
  'a turn of both axes': (x) => x.roll([100, -7], [0, 1]).add(x),
  'elements along an axis': (x) =>
    x.takeAlongAxis(indices(320 * 150, 200).reshape([320, 150]), 1).add(1),
  'elements put along an axis': (x) =>
    x.scatterAdd(0, indices(40 * 200, 320).reshape([40, 200]), 1).mul(2),
  'a convolution': (x, y) =>
    x.reshape([1, 4, 80, 200]).conv2d(y.flatten().slice(0, 0, 72).reshape([2, 4, 3, 3]), {
      padding: 1,
      stride: 2,
    }),
  concat: (x) => concat([x, x.mul(2), x.slice(0, 1, 7)], 0),
  '16-bit floats': (x) => x.cast('f16').add(1).cast('bf16').mul(2),
};

const FACTS: readonly [string, Partial<AdapterFacts>][] = [
  ['software', { bindingBytes: 32 * KIB }],
  ['GPU', { ...GPU, bindingBytes: 32 * KIB }],
];

describe.each(FACTS)('bindings of 32 KiB on %s kernels', (_name, facts) => {
  test.each(Object.entries(PROGRAMS))('%s', async (_program, program) => {
    const [x, y] = [values([320, 200], 1, 'small'), values([200, 96], 2, 'small')];
    const law = ([a, b]: Tensor[]): Tensor[] => [program(a!, b!)].flat();
    const expected = await compute('reference', law, [x, y]);
    const device = await open({ facts });
    const outputs = law([x, y].map(({ data, shape }) => tensor(data, shape)));
    for (const [i, output] of outputs.entries()) {
      const got = { shape: output.shape, dtype: output.dtype, data: await output.data() };
      expect(difference(expected[i]!, got, 2e-4)).toBeUndefined();
    }
    expect(device.counters.kernels).toBeGreaterThan(outputs.length);
  });
});

test('many workgroups fold over two dimensions', async () => {
  const device = await open({ facts: { ...GPU, maxWorkgroups: 33 } });
  const x = tensor(Float32Array.from({ length: 33 * 32 * 64 + 5 }, (_, i) => i % 1000));
  const [doubled, total] = [x.mul(2), x.reshape([33 * 32 * 64 + 5, 1]).sum(1)];
  expect((await doubled.data()).every((v, i) => v === 2 * (i % 1000))).toBe(true);
  await expect(total.data()).resolves.toHaveLength(x.size);
  await expect(x.expand([40, x.size]).add(x).data()).rejects.toThrow(
    /workgroups are more than.*33/,
  );
  expect(await doubled.sum().data()).toHaveLength(1);
  expect(device.counters.kernels).toBeGreaterThan(2);
});

test('workgroup memory bounds what a row shares', async () => {
  await open({ facts: { ...GPU, workgroupBytes: 1 * KIB, maxInvocations: 64 } });
  const x = tensor(values([3, 1200], 4).data, [3, 1200]);
  const sums = [x, x.square(), x.abs(), x.exp(), x.sin(), x.cos()].map((y) => y.mean(1));
  const reference = sums.map(() => new Float64Array(3));
  const f = [(v: number) => v, (v: number) => v * v, Math.abs, Math.exp, Math.sin, Math.cos];
  const host = values([3, 1200], 4).data;
  reference.forEach((sum, k) =>
    host.forEach((v, i) => (sum[Math.floor(i / 1200)]! += f[k]!(v) / 1200)),
  );
  const all = concat(
    sums.map((sum) => sum.unsqueeze(0)),
    0,
  );
  expect(
    [...(await all.data())]
      .map((v, i) => v - reference[Math.floor(i / 3)]![i % 3]!)
      .every((e) => Math.abs(e) < 1e-3),
  ).toBe(true);
});

test('what no buffer can hold is refused with the kernel, the bytes and the limit; the device stays usable', async () => {
  const device = await open({ limits: 'default' });
  const x = tensor(new Float32Array(9000).fill(1), [9000, 1]);
  const large = x.matmul(x.transpose()).mul(2);
  await expect(large.data()).rejects.toThrow(DeviceError);
  await expect(large.sum(0).add(large.transpose()).data()).rejects.toThrow(/256 MiB|512 MiB/);
  expect([...(await x.sum().data())]).toEqual([9000]);
  expect(device.memory().live).toBeLessThan(KIB * KIB);
});
