/** @file Every family and head against Transformers: hidden states, logits, loss and the gradient of every parameter. */
import { grad } from '@camada/autograd';
import { realize } from '@camada/tensor';
import { createContext, hiddenStates, namedParameters } from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { FAMILIES, batchOf, goldenOf, loadFamily } from './families.ts';
import { DEVICES, goldenJson, maxDifference, on, relativeDifference } from './support.ts';

describe.each(DEVICES)('on %s', (device) => {
  beforeAll(() => on(device));

  it.each(FAMILIES)(
    '$folder has the hidden states, logits and loss of Transformers',
    async (family) => {
      const model = await loadFamily(family);
      const golden = goldenOf(family);
      const batch = batchOf(golden);
      const states = hiddenStates(model, batch, createContext(), family.last ?? 'normalized');
      const output = model.call(batch, createContext());
      const loss = model.loss(output, batch);
      await realize([...states, output.logits, loss]);
      expect(states.length).toBe(model.layers.length + 1);
      for (const [i, state] of states.entries()) {
        const expected = golden.read(`hidden.${i}`).data;
        expect(maxDifference(await state.data(), expected), `hidden ${i}`).toBeLessThan(1e-4);
      }
      const { shape, data } = golden.read('logits');
      expect(output.logits.shape).toEqual(shape);
      expect(maxDifference(await output.logits.data(), data)).toBeLessThan(1e-4);
      const expected = goldenJson<{ loss: number }>(`${family.folder}/golden.json`).loss;
      expect(Math.abs((await loss.item()) - expected)).toBeLessThan(1e-5 * (1 + expected));
    },
  );

  it.each(FAMILIES)('$folder has the gradients of PyTorch', async (family) => {
    const model = await loadFamily(family);
    const golden = goldenOf(family);
    const batch = batchOf(golden);
    const parameters = namedParameters(model);
    const gradients = grad(model.loss(model.call(batch, createContext()), batch), [
      ...parameters.values(),
    ]);
    await realize(gradients);
    for (const [i, name] of [...parameters.keys()].entries()) {
      const expected = golden.read(`gradient.${name}`).data;
      const own = await gradients[i]!.data();
      // A key's bias shifts every score of a row alike: its gradient is 0, and PyTorch's is rounding.
      if (expected.every((value) => Math.abs(value) < 1e-6))
        expect(maxDifference(own, expected), name).toBeLessThan(1e-5);
      else expect(relativeDifference(own, expected), name).toBeLessThan(1e-3);
    }
  });
});
