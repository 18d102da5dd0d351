/** @file Optimizers, clipping and schedules against PyTorch and Transformers (tools/oracle/optimisers.py). */
import { InputError, ShapeError, realize, tensor, zeros, type Tensor } from '@camada/tensor';
import {
  AdamW,
  SGD,
  clipGradNorm,
  decayWeightsOnly,
  schedule,
  type Optimizer,
  type ScheduleName,
} from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEVICES, goldenJson, maxDifference, on } from './support.ts';

interface Values {
  readonly matrix: number[];
  readonly vector: number[];
}

interface Trajectory {
  readonly options: {
    readonly lr: number;
    readonly betas: [number, number];
    readonly eps: number;
    readonly weight_decay: number;
    readonly clip: number | null;
  };
  readonly start: Values;
  readonly learningRates: number[];
  readonly norms: number[];
  readonly parameters: Values[];
}

type Golden = Record<'constant' | 'linear' | 'cosine', Trajectory> & {
  readonly gradients: Values[];
};

const golden = goldenJson<Golden>('optimisers.json');
const NAMES = ['matrix', 'vector'] as const;
const SHAPES = { matrix: [3, 4], vector: [5] } as const;

function tensors(values: Values): Map<string, Tensor> {
  return new Map(NAMES.map((name) => [name, tensor(values[name], SHAPES[name])]));
}

function adamw(parameters: Map<string, Tensor>, { options }: Trajectory): AdamW {
  const { betas, eps, weight_decay: weightDecay } = options;
  return new AdamW(parameters, { betas, eps, weightDecay });
}

/** One step with the recorded gradients; the norm before clipping. */
async function step(optimizer: Optimizer, record: Trajectory, index: number): Promise<number> {
  const raw = [...tensors(golden.gradients[index]!).values()];
  const { gradients, norm } = clipGradNorm(raw, record.options.clip ?? 1e30);
  optimizer.step(gradients, record.learningRates[index]!);
  await realize([norm]);
  return norm.item();
}

describe.each(DEVICES)('on %s', (device) => {
  beforeAll(() => on(device));

  it.each(['constant', 'linear', 'cosine'] as const)(
    'AdamW follows the %s trajectory for 30 steps',
    async (name) => {
      const record = golden[name];
      const parameters = tensors(record.start);
      const optimizer = adamw(parameters, record);
      for (const [index, expected] of record.parameters.entries()) {
        const norm = await step(optimizer, record, index);
        expect(Math.abs(norm - record.norms[index]!)).toBeLessThan(1e-5 * (1 + norm));
        for (const key of NAMES)
          expect(maxDifference(await parameters.get(key)!.data(), expected[key])).toBeLessThan(
            2e-5,
          );
      }
    },
  );

  it('a resumed AdamW continues with the same bits', async () => {
    const record = golden.linear;
    const whole = tensors(record.start);
    const first = adamw(whole, record);
    for (let i = 0; i < 10; i++) await step(first, record, i);
    const half = tensors({
      matrix: [...(await whole.get('matrix')!.data())],
      vector: [...(await whole.get('vector')!.data())],
    });
    const second = adamw(half, record);
    second.load(await first.state());
    expect(second.steps).toBe(10);
    for (let i = 10; i < 15; i++) {
      await step(first, record, i);
      await step(second, record, i);
    }
    for (const key of NAMES) {
      const [a, b] = [await whole.get(key)!.data(), await half.get(key)!.data()];
      // The reference device keeps f64, saved states are f32.
      expect(maxDifference(a, b)).toBeLessThanOrEqual(device === 'reference' ? 1e-6 : 0);
    }
  });

  it('every step after the second runs the same program', async () => {
    const current = await on(device);
    const optimizer = adamw(tensors(golden.cosine.start), golden.cosine);
    for (let i = 0; i < 2; i++) await step(optimizer, golden.cosine, i);
    const { compiled } = current.counters;
    for (let i = 2; i < 6; i++) await step(optimizer, golden.cosine, i);
    expect(current.counters.compiled).toBe(compiled);
  });
});

describe('optimizers', () => {
  beforeAll(() => on('reference'));

  it('decay and scale the learning rate by the rules of each name', async () => {
    const names = [
      'dense.weight',
      'dense.bias',
      'LayerNorm.weight',
      'input_layernorm.weight',
      'lora_B.weight',
    ];
    const parameters = new Map(names.map((name) => [name, tensor([1])]));
    const rules = (name: string): object => ({
      ...decayWeightsOnly(name),
      ...(name.startsWith('lora_B') && { learningRateScale: 2 }),
    });
    const optimizer = new AdamW(parameters, { weightDecay: 0.5, rules });
    optimizer.step(
      names.map(() => zeros([1])),
      0.1,
    );
    await realize([...parameters.values()]);
    const values = await Promise.all([...parameters.values()].map((parameter) => parameter.item()));
    expect(values.map((value) => Math.round(value * 1e6) / 1e6)).toEqual([0.95, 1, 1, 1, 0.9]);
  });

  it('SGD with momentum moves as its formula says', async () => {
    const parameters = new Map([['w', tensor([1])]]);
    const optimizer = new SGD(parameters, { momentum: 0.5 });
    for (let i = 0; i < 2; i++) {
      optimizer.step([tensor([2])], 0.1);
      await realize([]);
    }
    expect(await parameters.get('w')!.item()).toBeCloseTo(1 - 0.1 * 2 - 0.1 * (0.5 * 2 + 2), 6);
    expect([...(await optimizer.state()).tensors.keys()]).toEqual(['w.momentum_buffer']);
  });

  it('refuse gradients, rates and states that do not fit', async () => {
    const parameters = new Map([['w', tensor([1, 2])]]);
    const optimizer = new AdamW(parameters);
    expect(() => optimizer.step([], 0.1)).toThrow(ShapeError);
    expect(() => optimizer.step([tensor([1])], 0.1)).toThrow(/gradient of 'w' has shape \[1\]/);
    expect(() => optimizer.step([tensor([1, 2])], NaN)).toThrow(InputError);
    const other = await new AdamW(new Map([['v', tensor([1, 2])]])).state();
    expect(() => optimizer.load(other)).toThrow(
      /'w.exp_avg' has no elements, the parameter needs 2/,
    );
    expect(() => new AdamW(parameters, { weightDecay: -1 })).toThrow(InputError);
    expect(() => clipGradNorm([tensor([1])], 0)).toThrow(InputError);
  });

  it('clip to the norm and leave smaller gradients alone', async () => {
    const clipped = clipGradNorm([tensor([3]), tensor([4])], 1);
    expect(await clipped.norm.item()).toBeCloseTo(5, 6);
    expect(await clipped.gradients[0]!.item()).toBeCloseTo(0.6, 5);
    expect(await clipGradNorm([tensor([3])], 10).gradients[0]!.item()).toBe(3);
  });
});

describe('schedule', () => {
  it.each([
    ['constant', 0, 'constant'],
    ['linear', 6, 'linear'],
    ['cosine', 3, 'cosine'],
  ] as const)('%s gives the rates of Transformers', (name, warmupSteps, record) => {
    const { options, learningRates } = golden[record];
    const factor = schedule(name, { warmupSteps, totalSteps: 30 });
    for (const [step, rate] of learningRates.entries())
      expect(options.lr * factor(step)).toBeCloseTo(rate, 12);
  });

  it('stays in [0, 1], also after the end, and warms up in a line', () => {
    for (const name of ['constant_with_warmup', 'linear', 'cosine'] as const) {
      const factor = schedule(name, { warmupSteps: 5, totalSteps: 20 });
      const values = Array.from({ length: 30 }, (_, step) => factor(step));
      expect(values.slice(0, 6)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
      expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
      expect(values[25]).toBeCloseTo(name === 'constant_with_warmup' ? 1 : 0, 12);
    }
    expect(schedule('constant', { warmupSteps: 5, totalSteps: 20 })(0)).toBe(1);
    expect(() => schedule('polynomial' as ScheduleName, { totalSteps: 1 })).toThrow(
      /known are constant/,
    );
  });
});
