import { readFileSync } from 'node:fs';
import { tensor, type Tensor } from '@camada/tensor';
import { grad } from '@camada/autograd';
import {
  createBatch,
  createContext,
  getModule,
  modelFromConfig,
  namedParameters,
  type Batch,
  type HeadModel,
} from '@camada/nn';
import { describe, expect, it } from 'vitest';
import { SELECTORS, rankLayers, selectorOf, type SelectorName } from '../src/index.ts';
import { batches, fakeModel, tables } from './helpers.ts';

const NAMES = Object.keys(SELECTORS) as SelectorName[];
const WITH_LABELS = NAMES.filter((name) => SELECTORS[name].needs === 'labels');
const WITH_TEXTS = NAMES.filter((name) => SELECTORS[name].needs === 'texts');

function config(folder: string): Record<string, unknown> {
  const path = new URL(`../../nn/test/golden/${folder}/config.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
}

const bert = modelFromConfig(config('bert-classifier'), 'classification', { seed: 3 });

/** Rows of 3 to 7 tokens with labels that follow from them. */
function labelled(model: HeadModel, count: number, size: number): Batch[] {
  const rows = Array.from({ length: count }, (_, i) => [
    2,
    ...Array.from({ length: 1 + (i % 5) }, (__, t) => 10 + ((7 * i + 13 * t * t) % 80)),
    3,
  ]);
  const starts = Array.from({ length: Math.ceil(count / size) }, (_, i) => i * size);
  return starts.map((start) => {
    const inputIds = rows.slice(start, start + size);
    const labels = inputIds.map((ids) => ids[1]! % 2);
    return createBatch({ inputIds, labels }, model.limits, 8);
  });
}

const numbers = (report: { layers: readonly { importance: number }[] }): number[] =>
  report.layers.map(({ importance }) => importance);

describe('every selector', () => {
  it.each(NAMES)('%s gives each layer a finite number inside its interval', async (name) => {
    const report = await SELECTORS[name].score(bert, labelled(bert, 24, 8), { seed: 5 });
    expect(report.layers.map(({ index }) => index)).toEqual([0, 1, 2]);
    for (const { importance, low, high, excluded } of report.layers) {
      expect(excluded).toBeUndefined();
      expect(Number.isFinite(importance)).toBe(true);
      expect(low).toBeLessThanOrEqual(importance);
      expect(high).toBeGreaterThanOrEqual(importance);
    }
    const again = await SELECTORS[name].score(bert, labelled(bert, 24, 8), { seed: 5 });
    expect(again).toEqual(report);
  });

  it.each(NAMES)('%s leaves the model as it was', async (name) => {
    const names = [...namedParameters(bert).keys()];
    const logits = async (): Promise<number[]> => [
      ...(await bert.call(labelled(bert, 4, 4)[0]!, createContext()).logits.data()),
    ];
    const before = await logits();
    await SELECTORS[name].score(bert, labelled(bert, 4, 4), {});
    expect(await logits()).toEqual(before);
    expect([...namedParameters(bert).keys()]).toEqual(names);
    expect(Object.hasOwn(getModule(bert, bert.layers[0]!.name), 'call')).toBe(false);
  });

  it.each([...WITH_LABELS, ...WITH_TEXTS])('%s refuses to guess without examples', async (name) => {
    await expect(SELECTORS[name].score(bert, [], {})).rejects.toThrow(/no examples|0 examples/);
  });

  it.each(WITH_LABELS)('%s says that it needs a head or labels', async (name) => {
    const bare = modelFromConfig(config('bert-classifier'), 'features', { seed: 3 });
    await expect(SELECTORS[name].score(bare, labelled(bert, 4, 4), {})).rejects.toThrow(/no head/);
    const unlabelled = labelled(bert, 4, 4).map(({ labels: _, ...batch }) => batch);
    await expect(SELECTORS[name].score(bert, unlabelled, {})).rejects.toThrow(/label/);
  });

  it.each([...WITH_LABELS, ...WITH_TEXTS])(
    '%s explains weights that are not finite',
    async (name) => {
      const broken = modelFromConfig(config('bert-classifier'), 'classification', { seed: 3 });
      const bias = namedParameters(broken).get('bert.encoder.layer.1.output.dense.bias')!;
      bias.assign(tensor(new Float32Array(bias.size).fill(NaN), bias.shape));
      await expect(SELECTORS[name].score(broken, labelled(broken, 8, 8), {})).rejects.toThrow(
        /gives NaN.*(weights|16-bit)/,
      );
    },
  );

  it('is known by name, and others are refused', () => {
    expect(selectorOf('fisher')).toBe(SELECTORS.fisher);
    expect(() => selectorOf('fischer')).toThrow(
      /'fischer' is unknown; known are cka, block-influence/,
    );
  });
});

describe('selectors on hidden states', () => {
  const N = 12;
  /** Two numbers a token: each layer turns them by an angle of its own. */
  const angles = [0.2, 1.1, 0.5];
  const start = Float64Array.from({ length: 2 * N }, (_, i) => Math.cos(i) + 1.5);
  const levels: Tensor[] = [tensor(start, [N, 2])];
  for (const a of angles) {
    const turn = tensor(
      Float64Array.of(Math.cos(a), Math.sin(a), -Math.sin(a), Math.cos(a)),
      [2, 2],
    );
    levels.push(levels.at(-1)!.matmul(turn).mul(3));
  }
  const turned = fakeModel(3, tables(levels));

  it('find the angle by which a layer turns, whatever its scale', async () => {
    const cosine = angles.map((a) => 1 - Math.cos(a));
    for (const name of ['block-influence', 'last-token-cosine'] as const)
      numbers(await SELECTORS[name].score(turned, batches(N, 5), {})).forEach((value, i) =>
        expect(value).toBeCloseTo(cosine[i]!, 6),
      );
    const angular = numbers(await SELECTORS['angular-distance'].score(turned, batches(N, 5), {}));
    angular.forEach((value, i) => expect(value).toBeCloseTo(angles[i]! / Math.PI, 5));
    expect(SELECTORS['last-token-cosine'].threshold).toBe(0.15); // a cosine of 0.85
  });

  it('activation-norm is the mean length of the output', async () => {
    const report = await SELECTORS['activation-norm'].score(turned, batches(N, 5), {});
    const data = await levels[2]!.square().sum(1).sqrt().data();
    const mean = [...data].reduce((sum, value) => sum + value, 0) / N;
    expect(numbers(report)[1]).toBeCloseTo(mean, 5);
  });

  it.each(WITH_TEXTS)('%s ignores padding', async (name) => {
    const padded = (length: number): Batch[] =>
      [0, 1, 2, 3].map((part) =>
        createBatch(
          { inputIds: [0, 1, 2, 3].map((i) => [2, 10 + 4 * part + i, 20 + i * part, 3]) },
          bert.limits,
          length,
        ),
      );
    const short = numbers(await SELECTORS[name].score(bert, padded(4), {}));
    const long = numbers(await SELECTORS[name].score(bert, padded(9), {}));
    long.forEach((value, i) => expect(value).toBeCloseTo(short[i]!, 5));
  });

  it('do not take a zero vector for a great change', async () => {
    const zero = tensor(new Float64Array(2 * N), [N, 2]);
    const dead = fakeModel(3, tables([zero, levels[1]!, levels[2]!, levels[3]!]));
    for (const name of ['block-influence', 'last-token-cosine', 'angular-distance'] as const) {
      const report = await SELECTORS[name].score(dead, batches(N, 6), {});
      expect(report.layers[0]!.excluded).toMatch(/zero for all examples/);
      expect(rankLayers(report)).toEqual([1, 2, 0]);
    }
  });
});

describe('selectors on gradients', () => {
  const one = labelled(bert, 6, 6)[0]!;
  const parameters = [...namedParameters(bert)]
    .filter(([name]) => name.startsWith('bert.encoder.layer.1.'))
    .map(([, parameter]) => parameter);
  const size = parameters.reduce((sum, parameter) => sum + parameter.size, 0);

  async function gradients(batch: Batch): Promise<Float64Array> {
    const loss = bert.loss(bert.call(batch, createContext()), batch);
    const parts: number[] = [];
    for (const gradient of grad(loss, parameters)) parts.push(...(await gradient.data()));
    return Float64Array.from(parts);
  }
  const row = (i: number): Batch => {
    const cut = (x: Tensor): Tensor => x.slice(0, i, i + 1);
    return {
      inputIds: cut(one.inputIds),
      attentionMask: cut(one.attentionMask),
      tokenTypeIds: cut(one.tokenTypeIds ?? one.inputIds.mul(0)),
      labels: cut(one.labels!),
    };
  };
  const sumOf = <T>(values: Iterable<T>, f: (x: T, i: number) => number): number =>
    [...values].reduce((sum, x, i) => sum + f(x, i), 0);

  it('follow their formulas', async () => {
    const whole = await gradients(one);
    const each: Float64Array[] = [];
    for (let i = 0; i < 6; i++) each.push(await gradients(row(i)));
    const weights: number[] = [];
    for (const parameter of parameters) weights.push(...(await parameter.data()));
    const norm = Math.sqrt(sumOf(whole, (g) => g * g));
    const mean = Float64Array.from({ length: size }, (_, j) => sumOf(each, (g) => g[j]! / 6));
    const variance = mean.map((m, j) => sumOf(each, (g) => (g[j]! - m) ** 2 / 6));
    const varying = [...mean.keys()].filter((j) => variance[j]! > 1e-6 * mean[j]! ** 2);
    const expected: Partial<Record<SelectorName, number>> = {
      'gradient-norm': norm,
      'relative-gradient-norm': norm / Math.sqrt(sumOf(weights, (w) => w * w)),
      sensitivity: sumOf(whole, (g, j) => Math.abs(g * weights[j]!)),
      fisher: sumOf(each, (g) => sumOf(g, (x) => x * x)) / 6 / size,
      'signal-to-noise': sumOf(varying, (j) => mean[j]! ** 2 / variance[j]!) / varying.length,
    };
    for (const [name, value] of Object.entries(expected)) {
      const report = await SELECTORS[name as SelectorName].score(bert, [one], {});
      expect(report.layers[1]!.importance / value, name).toBeCloseTo(1, 4);
    }
  });

  it('leave-one-out is the accuracy lost without a layer', async () => {
    const accuracy = async (): Promise<number> => {
      const { logits } = bert.call(one, createContext());
      return await logits.argmax(-1).eq(one.labels!).cast('f32').mean().item();
    };
    const whole = await accuracy();
    const report = await SELECTORS['leave-one-out'].score(bert, [one], {});
    const layer = getModule(bert, bert.layers[1]!.name);
    Object.defineProperty(layer, 'call', { configurable: true, value: (rows: Tensor) => rows });
    const without = await accuracy();
    Reflect.deleteProperty(layer, 'call');
    expect(report.layers[1]!.importance).toBeCloseTo(whole - without, 6);
  });

  it('work on language models', async () => {
    const llama = modelFromConfig(config('llama-tied'), 'causal-lm', { seed: 3 });
    const ids = Array.from({ length: 6 }, (_, i) => [2, 10 + i, 30 + 2 * i, 7 + i * i, 3]);
    const batch = createBatch({ inputIds: ids, labels: ids }, llama.limits, 5);
    for (const name of WITH_LABELS) {
      const values = numbers(await SELECTORS[name].score(llama, [batch], {}));
      expect(values.every(Number.isFinite), name).toBe(true);
      expect(new Set(values).size, name).toBe(3);
    }
  });
});

describe('rules', () => {
  const six = fakeModel(6, () => []);
  const ranking = async (name: SelectorName, seed = 0): Promise<number[]> =>
    rankLayers(await SELECTORS[name].score(six, [], { seed }));

  it('rank by position', async () => {
    expect(await ranking('last')).toEqual([5, 4, 3, 2, 1, 0]);
    expect(await ranking('first')).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await ranking('alternate')).toEqual([5, 3, 1, 4, 2, 0]);
    expect(await ranking('all')).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('draw by seed', async () => {
    expect(await ranking('random', 3)).toEqual(await ranking('random', 3));
    const orders = new Set<string>();
    for (let seed = 0; seed < 10; seed++) orders.add(String(await ranking('random', seed)));
    expect(orders.size).toBeGreaterThan(5);
  });
});
