/**
 * @file 100 sentence embeddings of a real model against sentence-transformers (tools/oracle/sentences.py), from text to
 * vector. The weights, all-MiniLM-L6-v2, are not in the repository: the folder is $CAMADA_MINILM, else .cache/minilm;
 * without it the test is skipped.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openSafetensors, toFloat32 } from '@camada/hub';
import { openDevice, useDevice } from '@camada/tensor';
import { expect, it } from 'vitest';
import { embed, loadModel } from '../src/index.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = process.env['CAMADA_MINILM'] ?? `${root}.cache/minilm`;
const golden = fileURLToPath(new URL('golden/minilm-sentences', import.meta.url));

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number =>
    x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

it.skipIf(!existsSync(`${folder}/model.safetensors`))(
  'MiniLM-L6 embeds 100 sentences as sentence-transformers does, within a cosine of 1e-5',
  async () => {
    useDevice(await openDevice('wasm'));
    const { sentences } = JSON.parse(readFileSync(`${golden}.json`, 'utf8')) as {
      sentences: string[];
    };
    const vectors = await embed(await loadModel(folder), sentences, { batchSize: 20 });
    const file = await openSafetensors(`${golden}.safetensors`);
    const expected = toFloat32(await file.read('embeddings')); // [100, 384]
    expect(vectors.length).toBe(100);
    for (const [i, vector] of vectors.entries()) {
      expect(Math.abs(Math.hypot(...vector) - 1)).toBeLessThan(1e-5);
      const other = expected.subarray(i * 384, (i + 1) * 384);
      expect(1 - cosine(vector, other), sentences[i]!.slice(0, 60)).toBeLessThan(1e-5);
    }
    expect(1 - cosine(vectors[0]!, vectors[1]!)).toBeGreaterThan(0.1);
  },
  120_000,
);
