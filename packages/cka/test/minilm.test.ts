import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openDevice, useDevice } from '@camada/tensor';
import { loadTokenizer, openCheckpoint } from '@camada/hub';
import { createBatch, emptyModel, loadWeights, type Batch, type Model } from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { sharedPath } from '../../../tools/shared.ts';
import { layerImportance, type ImportanceReport } from '../src/index.ts';

/** CKA of adjacent levels of MiniLM on the first sentences of SST-2, in f64; written by tools/oracle. */
interface Golden {
  readonly sentences: number;
  readonly maxLength: number;
  readonly clsBiased: readonly (number | null)[];
  readonly meanBiased: readonly number[];
  readonly meanDebiased: readonly number[];
  readonly heatMapMeanDebiased: readonly (readonly number[])[];
}

const golden = JSON.parse(
  readFileSync(new URL('./golden/minilm.json', import.meta.url), 'utf8'),
) as Golden;

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = process.env['CAMADA_MINILM'] ?? `${root}.cache/minilm`;
const sst2 = sharedPath('data/sst2/train.tsv') ?? '';
const present = existsSync(`${folder}/model.safetensors`) && sst2 !== '';

describe.skipIf(!present)('importance of MiniLM on SST-2 (optional data)', () => {
  let model: Model;
  let batches: Batch[];

  beforeAll(async () => {
    useDevice(await openDevice('wasm'));
    model = emptyModel(JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')), 'features');
    await loadWeights(model, await openCheckpoint(folder));
    batches = await sentences(model);
  });

  const similarities = (report: ImportanceReport): number[] =>
    report.layers.map((layer) => 1 - layer.importance);

  function expectClose(got: readonly number[], expected: readonly number[]): void {
    got.forEach((value, i) =>
      expect(Math.abs(value - expected[i]!), `layer ${i}`).toBeLessThan(2e-5),
    );
  }

  it('equals the oracle, debiased and mean-pooled', async () => {
    const report = await layerImportance(model, batches);
    expectClose(similarities(report), golden.meanDebiased);
    expectClose(report.matrix.flat() as number[], golden.heatMapMeanDebiased.flat());
    expect(
      report.layers.map(({ low, importance, high }) => low < importance && importance < high),
    ).not.toContain(false);
  });

  it('equals the oracle streamed, biased', async () => {
    const report = await layerImportance(model, batches, {
      estimator: 'biased',
      streaming: 'exact',
    });
    expectClose(similarities(report), golden.meanBiased);
  });

  it('equals the published protocol', async () => {
    const report = await layerImportance(model, batches, { paper: true });
    expect(report.layers[0]!.excluded).toMatch(/same for all 128/);
    expectClose(similarities(report).slice(1), golden.clsBiased.slice(1) as number[]);
  });
});

async function sentences(model: Model): Promise<Batch[]> {
  const tokenizer = await loadTokenizer(folder);
  const lines = readFileSync(sst2, 'utf8').split('\n').slice(0, golden.sentences);
  const rows = lines.map((line) => {
    const text = line.slice(0, line.lastIndexOf('\t'));
    return tokenizer.encode(text, undefined, { maxLength: golden.maxLength }).ids;
  });
  return [0, 32, 64, 96].map((start) =>
    createBatch({ inputIds: rows.slice(start, start + 32) }, model.limits),
  );
}
