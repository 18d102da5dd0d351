/**
 * @file Real weights from end to end: stories260K (a Llama-like decoder of 260 thousand parameters) becomes a Hugging Face
 * folder, tells its story, is fine-tuned on Shakespeare in the layers that CKA chose, and the saved adapter works
 * alone and merged. Skipped where the optional data is absent.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convertLlama2c, type Table } from '@camada/hub';
import { openDevice, useDevice } from '@camada/tensor';
import { evaluate, finetune, generateText, loadModel, merge, saveFiles } from '@camada/finetune';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sharedPath } from '../../../tools/shared.ts';

const weights = sharedPath('models/stories260K');
const shakespeare = sharedPath('data/lm/tinyshakespeare.txt');
const folder = mkdtempSync(join(tmpdir(), 'camada-stories-'));
const model = join(folder, 'stories260K');
const STORY =
  'there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball.';

describe.skipIf(!weights || !shakespeare)('stories260K', () => {
  beforeAll(async () => {
    useDevice(await openDevice('wasm'));
    await convertLlama2c({
      checkpoint: join(weights!, 'checkpoint_v1.bin'),
      tokenizer: join(weights!, 'tokenizer.bin'),
      output: model,
    });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('continues "Once upon a time" as its author printed', async () => {
    const options = { prompt: 'Once upon a time', maxNewTokens: 56, temperature: 0 };
    const { text } = await generateText(await loadModel(model), options);
    expect(text).toContain(STORY);
  });

  test('learns Shakespeare in the layers that CKA chose, and the adapter carries it', async () => {
    const text = readFileSync(shakespeare!, 'utf8');
    const train = table(text.slice(0, 60_000));
    const held = table(text.slice(-8_000));
    const run = await finetune(await loadModel(model), {
      data: { train, test: held },
      task: 'causal-lm',
      layers: { select: 'cka', keep: 0.5 },
      method: { type: 'lora', r: 8, alpha: 16 },
      epochs: 1,
      maxSteps: 25,
      samples: 64,
    });
    expect(run.layers).toHaveLength(2);
    expect(run.after.loss).toBeLessThan(run.before.loss - 0.3);

    await run.save(join(folder, 'adapter'));
    const adapted = await loadModel(model, { adapter: join(folder, 'adapter') });
    const measured = await evaluate(adapted, { data: held });
    expect(measured.loss).toBeCloseTo(run.after.loss, 4);

    await saveFiles(join(folder, 'merged'), await merge(adapted));
    const merged = await evaluate(await loadModel(join(folder, 'merged')), { data: held });
    expect(merged.loss).toBeCloseTo(run.after.loss, 3);
  }, 120_000);
});

function table(text: string): Table {
  return { name: 'tinyshakespeare', columns: ['text'], rows: [{ text }], lines: [1] };
}
