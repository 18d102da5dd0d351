/** @file A training step as users write it (model, dropout, clipping, schedule, AdamW), captured. */
import { grad } from '@camada/autograd';
import { InputError, capture, realize, scalar, tensor, type Tensor } from '@camada/tensor';
import {
  AdamW,
  Dropout,
  LayerNorm,
  Linear,
  clipGradNorm,
  createContext,
  initializeParameters,
  crossEntropy,
  namedParameters,
  schedule,
  setParameter,
  type Context,
} from '@camada/nn';
import { describe, expect, it } from 'vitest';
import { DEVICES, on } from './support.ts';

class Net {
  readonly up: Linear = new Linear(6, 16);
  readonly norm: LayerNorm = new LayerNorm(16, 1e-5);
  readonly drop: Dropout = new Dropout(0.2);
  readonly down: Linear = new Linear(16, 3);

  call(x: Tensor, context: Context): Tensor {
    const h = this.drop.call(this.norm.call(this.up.call(x, context).gelu()), context);
    return this.down.call(h, context);
  }
}

interface Batch {
  readonly x: Tensor;
  readonly labels: Tensor;
}

function batchOf(step: number, rows = 8): Batch {
  const x = Float32Array.from({ length: rows * 6 }, (_, i) => Math.sin(i * 0.7 + step));
  return {
    x: tensor(x, [rows, 6]),
    labels: tensor(Int32Array.from({ length: rows }, (_, i) => (i + step) % 3)),
  };
}

const factor = schedule('linear', { warmupSteps: 3, totalSteps: 30 });

function trainer(): {
  net: Net;
  optimizer: AdamW;
  step: (batch: Batch, numbers: { readonly step: number }) => { loss: Tensor; norm: Tensor };
} {
  const net = new Net();
  initializeParameters(net, 0.3, 1, [...namedParameters(net).keys()]);
  const parameters = namedParameters(net);
  const optimizer = new AdamW(parameters, { weightDecay: 0.1 });
  const step = (
    batch: Batch,
    numbers: { readonly step: number },
  ): { loss: Tensor; norm: Tensor } => {
    const context = createContext({ training: true, seed: 5, step: () => numbers.step });
    const loss = crossEntropy(net.call(batch.x, context), batch.labels);
    const clipped = clipGradNorm(grad(loss, [...parameters.values()]), 0.5);
    optimizer.step(clipped.gradients, () => 0.05 * factor(numbers.step));
    return { loss, norm: clipped.norm };
  };
  return { net, optimizer, step };
}

async function numbersOf(result: { loss: Tensor; norm: Tensor }): Promise<number[]> {
  return [await result.loss.item(), await result.norm.item()];
}

describe.each(DEVICES)('a captured step on %s', (device) => {
  it('gives the bits of the normal one, builds its graph twice, and compiles once', async () => {
    const engine = await on(device);
    const [normal, captured] = [trainer(), trainer()];
    const run = capture(captured.step);
    const compiled: number[] = [];
    for (let step = 0; step < 12; step++) {
      const expected = normal.step(batchOf(step), { step });
      await realize([expected.loss, expected.norm]);
      const got = await run(batchOf(step), { step });
      expect(await numbersOf(got)).toEqual(await numbersOf(expected));
      compiled.push(engine.counters.compiled);
    }
    expect(run.builds()).toBe(2);
    expect(new Set(compiled.slice(1)).size).toBe(1);
    expect(captured.optimizer.steps).toBe(12);
    for (const [name, parameter] of namedParameters(captured.net))
      expect([...(await parameter.data())]).toEqual([
        ...(await namedParameters(normal.net).get(name)!.data()),
      ]);
  });

  it('takes other shapes by another program, and both go on', async () => {
    await on(device);
    const [normal, captured] = [trainer(), trainer()];
    const run = capture(captured.step);
    for (let step = 0; step < 8; step++) {
      const rows = step % 2 === 0 ? 8 : 5;
      const expected = normal.step(batchOf(step, rows), { step });
      await realize([expected.loss, expected.norm]);
      expect(await numbersOf(await run(batchOf(step, rows), { step }))).toEqual(
        await numbersOf(expected),
      );
    }
    expect(run.builds()).toBe(4);
  });

  it('sees weights that were loaded, assigned or put in their place between calls', async () => {
    await on(device);
    const { net, step } = trainer();
    const [run, x] = [capture(step), batchOf(0)];
    for (let i = 0; i < 4; i++) await run(batchOf(i), { step: i });
    const evaluate = capture((batch: Batch) => net.call(batch.x, createContext()));
    const expectCurrent = async (): Promise<void> => {
      const expected = await net.call(x.x, createContext()).data();
      expect([...(await (await evaluate(x)).data())]).toEqual([...expected]);
    };
    for (let i = 0; i < 3; i++) await expectCurrent();
    await run(batchOf(4), { step: 4 }); // updated by another captured step
    await expectCurrent();
    net.down.weight.assign(net.down.weight.mul(0.5));
    await expectCurrent();
    const other = Float32Array.from({ length: 48 }, (_, i) => Math.cos(i));
    net.down.weight.assign(tensor(other, [3, 16]));
    await expectCurrent();
    expect(evaluate.builds()).toBe(2); // memory is followed, not looked for again
    setParameter(net, 'up.bias', tensor(new Float32Array(16).fill(2)));
    await expectCurrent();
    expect((await run(batchOf(5), { step: 5 })).loss.shape).toEqual([]);
  });
});

describe('capture refuses', () => {
  const x = (): Tensor => tensor([1, 2, 3]);

  it('a number of the call that is read while the graph is built, and names it', async () => {
    await on('wasm');
    const w = tensor([1, 1, 1]);
    const optimizer = new AdamW(new Map([['w', w]]));
    type Numbers = { readonly rate: number };
    const direct = capture((g: Tensor, numbers: Numbers) => optimizer.step([g], numbers.rate));
    await expect(direct(x(), { rate: 0.1 })).rejects.toThrow(
      /reads the number 'rate' .*\(\) => numbers\.rate/s,
    );
    const taken = capture((t: Tensor, { rate }: Numbers) => t.mul(rate));
    await expect(taken(x(), { rate: 0.1 })).rejects.toThrow(/reads the number 'rate'/);
    expect([...(await w.data())]).toEqual([1, 1, 1]);
    expect(optimizer.steps).toBe(0);
  });

  it('another number that changes, and says where it is used', async () => {
    await on('wasm');
    let hidden = 0.1;
    const w = tensor([1, 1, 1]);
    const optimizer = new AdamW(new Map([['w', w]]));
    const run = capture((g: Tensor) => optimizer.step([g.mul(hidden)], 0.1));
    await run(x());
    const before = [...(await w.data())];
    hidden = 0.2;
    await expect(run(x())).rejects.toThrow(
      /host number \d+ \(in mul \[3\]\) was 0\.1\d* and is 0\.2\d*, but is fixed/,
    );
    expect([...(await w.data())]).toEqual(before);
    await expect(run(x())).resolves.toBeUndefined();
  });

  it('a function that reads what belongs to one call', async () => {
    await on('wasm');
    let rate = 0.1;
    const run = capture((t: Tensor) => {
      const mine = rate;
      return t.mul(scalar(() => mine));
    });
    await run(x());
    rate = 0.2;
    await expect(run(x())).rejects.toThrow(/was 0.1 and is 0.2, but its function reads/);
  });

  it('what depends on something else than arguments and numbers', async () => {
    await on('wasm');
    let count = 0;
    const deeper = capture((t: Tensor) => {
      let y = t;
      for (let i = 0; i <= count; i++) y = y.exp();
      count++;
      return y;
    });
    await deeper(x());
    await expect(deeper(x())).rejects.toThrow(/builds another graph/);
    const fresh = capture((t: Tensor) => t.add(tensor([count++, 0, 0])));
    await fresh(x());
    await expect(fresh(x())).rejects.toThrow(
      /makes a tensor of host data, f32 \[3\], that differs/,
    );
    const tables = [x(), x()];
    const swapped = capture((t: Tensor) => t.add(tables[count++ % 2]!));
    await swapped(x());
    await expect(swapped(x())).rejects.toThrow(/reads another tensor/);
  });

  it('reads, promises, results that are no tensors, arguments that are no data', async () => {
    await on('wasm');
    const reading = capture((t: Tensor) => {
      t.data().catch(() => undefined);
      return t.data();
    });
    await expect(reading(x())).rejects.toThrow(/asynchronous/);
    await expect(capture((t: Tensor) => t.size)(x())).rejects.toThrow(/of type number/);
    await expect(capture((f: () => void) => f)(() => undefined)).rejects.toThrow(/is a function/);
    await expect(capture((t: Tensor) => t.assign(t.add(1)))(x())).rejects.toThrow(InputError);
    const w = x();
    const both = capture((t: Tensor) => w.assign(w.add(t)));
    await both(x());
    await expect(both(w)).rejects.toThrow(/is one that the step updates/);
    expect([...(await w.data())]).toEqual([2, 4, 6]);
  });
});

describe('capture', () => {
  it('returns arguments, closed-over tensors and updated ones as they are', async () => {
    await on('wasm');
    const [w, frozen] = [tensor([1]), tensor([5])];
    const run = capture((t: { readonly a: Tensor; readonly b?: Tensor }) => {
      w.assign(w.add(t.a));
      return [t.a, w, { frozen, twice: [w.mul(2), w.mul(2)] }, undefined] as const;
    });
    for (let i = 1; i < 5; i++) {
      const a = tensor([1]);
      const [back, same, rest] = await run({ a });
      expect([back === a, same === w, rest.frozen === frozen]).toEqual([true, true, true]);
      expect(await w.item()).toBe(1 + i);
      expect(await rest.twice[1]!.item()).toBe(2 + 2 * i);
    }
    expect(run.builds()).toBe(2);
  });

  it('starts with state that has no memory yet', async () => {
    await on('wasm');
    const moment = tensor([1, 2]).mul(0);
    const run = capture((g: Tensor) => moment.assign(moment.mul(0.5).add(g)));
    for (let i = 0; i < 5; i++) await run(tensor([1, 1]));
    expect((await moment.data())[0]).toBeCloseTo(1.9375);
    expect(run.builds()).toBe(3);
  });

  it('goes on when something that it closes over is computed and kept meanwhile', async () => {
    await on('wasm');
    const table = tensor([1, 2, 3]).exp();
    const run = capture((t: Tensor) => t.add(table));
    const values: number[] = [];
    for (let i = 0; i < 4; i++) {
      values.push((await (await run(tensor([i, 0, 0]))).data())[0]!);
      if (i === 0) await table.data();
    }
    values.forEach((value, i) => expect(value).toBeCloseTo(i + Math.E, 5));
    expect(run.builds()).toBe(3);
  });

  it('checks again as often as asked', async () => {
    await on('wasm');
    let hidden = 1;
    const run = capture((t: Tensor) => t.mul(hidden), { verifyEvery: 4 });
    for (let i = 0; i < 3; i++) await run(tensor([1]));
    hidden = 2;
    expect(await (await run(tensor([1]))).item()).toBe(1);
    await expect(run(tensor([1]))).rejects.toThrow(/was 1 and is 2/);
  });
});
