/**
 * @file A real model against Transformers (tools/oracle/minilm.py). The weights, all-MiniLM-L6-v2, are not in the
 * repository: the folder is $CAMADA_MINILM, else .cache/minilm; without it the test is skipped.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { realize } from '@camada/tensor';
import { createBatch, createContext, emptyModel, hiddenStates, loadWeights } from '@camada/nn';
import { expect, it } from 'vitest';
import { goldenJson, on, safetensors } from './support.ts';

interface Sentence {
  readonly text: string;
  readonly inputIds: number[];
  readonly norms: number[];
  readonly samples: number[][][];
}

const fallback = fileURLToPath(new URL('../../../.cache/minilm', import.meta.url));
const folder = process.env['CAMADA_MINILM'] ?? fallback;

it.skipIf(!existsSync(`${folder}/model.safetensors`))(
  'MiniLM-L6 has the hidden states of Transformers in every layer, padded in one batch',
  async () => {
    await on('wasm');
    const model = emptyModel(JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')), 'features');
    const report = await loadWeights(model, safetensors(`${folder}/model.safetensors`));
    expect(report.initialized).toEqual([]);
    const { sentences } = goldenJson<{ sentences: Sentence[] }>('minilm-hidden.json');
    const batch = createBatch({ inputIds: sentences.map((s) => s.inputIds) }, model.limits);
    const states = hiddenStates(model, batch, createContext());
    await realize(states);
    expect(states.length).toBe(7);
    for (const [level, state] of states.entries()) {
      const data = await state.data(); // [B, T, C]
      const [, length, width] = state.shape as [number, number, number];
      for (const [row, { inputIds, norms, samples }] of sentences.entries()) {
        const own = data.subarray(row * length * width, (row * length + inputIds.length) * width);
        const norm = Math.hypot(...own);
        expect(Math.abs(norm / norms[level]! - 1)).toBeLessThan(1e-5);
        const tokens = [0, Math.floor(inputIds.length / 2), inputIds.length - 1];
        for (const [i, token] of tokens.entries())
          for (const [j, value] of samples[level]![i]!.entries())
            expect(Math.abs(own[token * width + 37 * j]! - value)).toBeLessThan(1e-4);
      }
    }
  },
);
