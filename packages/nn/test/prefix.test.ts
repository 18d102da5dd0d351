/** @file A pass in two parts gives what a whole pass gives, for every family and head and at every block. */
import { InputError, openDevice, useDevice } from '@camada/tensor';
import { createContext, enterAt, prefixState } from '@camada/nn';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { relativeDifference } from './support.ts';
import { batchOf, FAMILIES, goldenOf, loadFamily } from './families.ts';

let close: () => void;

beforeAll(async () => {
  const device = await openDevice('wasm', { threads: 1 });
  useDevice(device);
  close = () => device.dispose();
});
afterAll(() => close());

test.each(FAMILIES)('$folder', async (family) => {
  const model = await loadFamily(family);
  const batch = batchOf(goldenOf(family));
  const whole = await model.call(batch, createContext()).logits.data();
  for (let layer = 0; layer <= model.layers.length; layer++) {
    const state = prefixState(model, batch, layer);
    await state.data(); // from here on it has memory and no history
    const names: string[] = [];
    const context = createContext({ capture: (name) => void names.push(name) });
    const parted = await model.call(batch, enterAt(context, layer, state)).logits.data();
    // The compiler may fuse across the place where a whole pass is not parted: the last bits differ then.
    expect(relativeDifference(parted, whole), `layer ${layer}`).toBeLessThan(1e-6);
    expect(names[0]).toBe(`R${layer}`);
  }
});

test('there is no such block', async () => {
  const model = await loadFamily(FAMILIES[0]!);
  const batch = batchOf(goldenOf(FAMILIES[0]!));
  for (const layer of [-1, 0.5, model.layers.length + 1])
    expect(() => prefixState(model, batch, layer)).toThrow(InputError);
  model.prompting = { tokens: 1, values: () => ({}) };
  expect(() => prefixState(model, batch, 1)).toThrow('virtual tokens');
});
