/** @file Every other optimizer against PyTorch, Transformers and Lion's paper (tools/oracle/optimisers.py). */
import { InputError, realize, tensor, type Tensor } from '@camada/tensor';
import { Adafactor, Adam, Lion, SGD, type Optimizer } from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEVICES, goldenJson, maxDifference, on } from './support.ts';

interface Values {
  readonly matrix: number[];
  readonly vector: number[];
}

const { gradients, constant } = goldenJson<{
  readonly gradients: Values[];
  readonly constant: { readonly start: Values };
}>('optimisers.json');
const golden = goldenJson<
  { readonly steps: number[] } & Record<Name, { readonly parameters: Values[] }>
>('optimisers-more.json');

type Name = keyof typeof OPTIMIZERS;
type Parameters = Map<string, Tensor>;

/** Constructors and learning rates of the recorded runs. */
const OPTIMIZERS = {
  adam: {
    lr: 1e-2,
    make: (p: Parameters) => new Adam(p, { betas: [0.9, 0.99], weightDecay: 0.1 }),
  },
  sgd: { lr: 1e-2, make: (p: Parameters) => new SGD(p) },
  sgdMomentum: {
    lr: 1e-2,
    make: (p: Parameters) => new SGD(p, { momentum: 0.9, weightDecay: 0.05 }),
  },
  sgdNesterov: { lr: 1e-2, make: (p: Parameters) => new SGD(p, { momentum: 0.9, nesterov: true }) },
  lion: { lr: 3e-3, make: (p: Parameters) => new Lion(p, { weightDecay: 0.3 }) },
  adafactor: { lr: 1, make: (p: Parameters) => new Adafactor(p) },
  adafactorWarmup: { lr: 1, make: (p: Parameters) => new Adafactor(p, { warmupInit: true }) },
  adafactorExternal: {
    lr: 2e-2,
    make: (p: Parameters) =>
      new Adafactor(p, {
        beta1: 0.9,
        weightDecay: 0.1,
        clipThreshold: 0.7,
        decayRate: -0.6,
        scaleParameter: false,
        relativeStep: false,
      }),
  },
};
const NAMES = Object.keys(OPTIMIZERS) as Name[];

function tensors({ matrix, vector }: Values): Parameters {
  return new Map([
    ['matrix', tensor(matrix, [3, 4])],
    ['vector', tensor(vector)],
  ]);
}

async function step(optimizer: Optimizer, index: number, lr: number): Promise<void> {
  optimizer.step([...tensors(gradients[index]!).values()], lr);
  await realize([]);
}

async function expectValues(parameters: Parameters, expected: Values): Promise<void> {
  for (const [name, parameter] of parameters)
    expect(
      maxDifference(await parameter.data(), expected[name as keyof Values]),
      name,
    ).toBeLessThan(2e-5);
}

describe.each(DEVICES)('on %s', (device) => {
  beforeAll(() => on(device));

  it.each(NAMES)('%s follows its trajectory for 30 steps', async (name) => {
    const { lr, make } = OPTIMIZERS[name];
    const parameters = tensors(constant.start);
    const optimizer = make(parameters);
    for (let index = 0; index < gradients.length; index++) {
      await step(optimizer, index, lr);
      const kept = golden.steps.indexOf(index);
      if (kept >= 0) await expectValues(parameters, golden[name].parameters[kept]!);
    }
  });
});

describe('state', () => {
  beforeAll(() => on('wasm'));

  it.each(NAMES)('of %s is all that a resumed run needs', async (name) => {
    const { lr, make } = OPTIMIZERS[name];
    const whole = tensors(constant.start);
    const first = make(whole);
    for (let i = 0; i < 4; i++) await step(first, i, lr);
    const read = async (key: string): Promise<number[]> => [...(await whole.get(key)!.data())];
    const half = tensors({ matrix: await read('matrix'), vector: await read('vector') });
    const second = make(half);
    second.load(await first.state());
    expect(second.steps).toBe(4);
    for (const optimizer of [first, second])
      for (let i = 4; i < 7; i++) await step(optimizer, i, lr);
    for (const key of whole.keys())
      expect([...(await half.get(key)!.data())]).toEqual(await read(key));
  });

  it('of Adafactor is rows and columns of a matrix', async () => {
    const optimizer = new Adafactor(tensors(constant.start));
    const { tensors: saved } = await optimizer.state();
    expect([...saved].map(([name, { length }]) => [name, length])).toEqual([
      ['matrix.exp_avg_sq_row', 3],
      ['matrix.exp_avg_sq_col', 4],
      ['vector.exp_avg_sq', 5],
    ]);
  });

  it('settings outside their range are refused', () => {
    const parameters = tensors(constant.start);
    expect(() => new SGD(parameters, { nesterov: true })).toThrow(/nesterov needs a momentum/);
    expect(() => new Lion(parameters, { betas: [1, 0.9] })).toThrow(InputError);
    expect(() => new Adam(parameters, { eps: -1 })).toThrow(/eps -1/);
    expect(() => new Adafactor(parameters, { decayRate: 0.8 })).toThrow(/decayRate 0.8/);
  });
});
