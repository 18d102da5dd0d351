/**
 * @file Memory over a training run: the same after 200 steps as after 20, nothing compiled anew, and all given back
 * at the end: no buffer outlives its tensor.
 */
import { grad } from '@camada/autograd';
import { capture, realize, tensor, type Device, type Tensor } from '@camada/tensor';
import { AdamW, Linear, clipGradNorm, createContext, crossEntropy, dropout } from '@camada/nn';
import { describe, expect, test } from 'vitest';
import { DEVICES, on } from '../../../tensor/test/laws/devices.ts';

const EARLY = 20;
const STEPS = 200;

interface Step {
  (
    args: { readonly x: Tensor; readonly labels: Tensor },
    numbers: { readonly step: number },
  ): Tensor;
}

function makeStep(): Step {
  const [up, down] = [new Linear(6, 12), new Linear(12, 3)];
  const parameters = new Map([
    ['up.weight', up.weight],
    ['up.bias', up.bias!],
    ['down.weight', down.weight],
    ['down.bias', down.bias!],
  ]);
  for (const [i, p] of [...parameters.values()].entries())
    p.assign(
      tensor(
        Float32Array.from({ length: p.size }, (_, j) => Math.sin(i + j)),
        p.shape,
      ),
    );
  const optimizer = new AdamW(parameters);
  const step: Step = ({ x, labels }, numbers) => {
    const context = createContext({ training: true, step: () => numbers.step });
    const hidden = dropout(up.call(x, context).gelu(), 0.1, context.dropoutKey());
    const loss = crossEntropy(down.call(hidden, context), labels);
    const { gradients } = clipGradNorm(grad(loss, [...parameters.values()]), 1);
    optimizer.step(gradients, () => 0.01 / (1 + numbers.step));
    return loss;
  };
  return step;
}

/** Frees what is unreachable, where the engine lets us ask for it. */
async function collect(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    if (typeof gc === 'function') gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Live and peak bytes and compilations early and at the end. */
async function train(
  device: Device,
  run: (step: Step) => Step | CapturedRun,
  steps: number,
): Promise<number[][]> {
  const call = run(makeStep());
  const seen: number[][] = [];
  for (let i = 0; i <= steps; i++) {
    const x = tensor(
      Float32Array.from({ length: 24 }, (_, j) => Math.cos(i * j)),
      [4, 6],
    );
    const labels = tensor(Int32Array.of(0, 1, 2, i % 3));
    const loss = await call({ x, labels }, { step: i });
    await realize([loss]);
    expect(Number.isFinite(await loss.item())).toBe(true);
    for (const spent of [x, labels, loss]) spent.dispose();
    if (i !== EARLY && i !== steps) continue;
    await collect();
    const { live, peak } = device.memory();
    seen.push([live, peak, device.counters.compiled]);
  }
  return seen;
}

type CapturedRun = (...args: Parameters<Step>) => Promise<Tensor>;

describe.each(DEVICES)('200 steps on %s', (name) => {
  test.each(['normal', 'captured'])('%s: nothing grows, nothing is compiled anew', async (mode) => {
    const device = await on(name);
    const run = (step: Step): Step | CapturedRun => (mode === 'normal' ? step : capture(step));
    await train(device, run, EARLY); // the program itself keeps memory of its own
    await collect();
    const before = device.memory().live;
    const [early, late] = await train(device, run, STEPS);
    expect(late).toEqual(early);
    await collect();
    if (typeof gc === 'function') expect(device.memory().live).toBe(before);
  });

  test('what is disposed by hand is free at once', async () => {
    const device = await on(name);
    const before = device.memory().live;
    const tensors = Array.from({ length: 5 }, (_, i) => tensor(new Float32Array(100 + i)).add(i));
    await realize(tensors);
    expect(device.memory().live).toBeGreaterThan(before);
    for (const x of tensors) x.dispose();
    await collect();
    expect(device.memory().live).toBeLessThanOrEqual(before + 5 * 1024); // the inputs, where nobody collects
  });
});
