import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openDevice, useDevice } from '@camada/tensor';
import { loadTokenizer, openCheckpoint, parseTable } from '@camada/hub';
import { createBatch, emptyModel, loadWeights, type Batch, type Model } from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { sharedPath } from '../../../tools/shared.ts';
import { layerImportance, rankLayers, selectLayers, type ImportanceReport } from '../src/index.ts';

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

interface Published {
  readonly examples: number;
  readonly maxLength: number;
  readonly tasks: Readonly<
    Record<string, { importances: readonly number[]; ranking: number[]; selected: number[] }>
  >;
}

const published = JSON.parse(
  readFileSync(new URL('./golden/published.json', import.meta.url), 'utf8'),
) as Published;
const tasks = Object.keys(published.tasks);

describe.skipIf(!present || tasks.some((task) => !sharedPath(`data/${task}`)))(
  'the published protocol on MiniLM (optional data)',
  () => {
    it.each(tasks)('chooses on %s what the published code chooses', async (task) => {
      useDevice(await openDevice('wasm'));
      const model = emptyModel(
        JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')),
        'features',
      );
      await loadWeights(model, await openCheckpoint(folder));
      const tokenizer = await loadTokenizer(folder);
      const { examples, maxLength } = published;
      const rows = texts(task, examples).map(([first, second]) =>
        tokenizer.encode(first!, second, { maxLength }),
      );
      const parts = [0, 32, 64].map((start) => rows.slice(start, start + 32));
      const batches = parts.map((part) =>
        createBatch(
          {
            inputIds: part.map(({ ids }) => ids),
            tokenTypeIds: part.map(({ typeIds }) => typeIds),
          },
          model.limits,
        ),
      );
      const report = await layerImportance(model, batches, { paper: true });
      const golden = published.tasks[task]!;
      report.layers.forEach(({ importance }, i) =>
        expect(importance).toBeCloseTo(golden.importances[i]!, 4),
      );
      expect(rankLayers(report)).toEqual(golden.ranking);
      expect(selectLayers(report, { keep: 0.5 })).toEqual(golden.selected);
    });
  },
);

/** The first training examples of a task, as tools/oracle/similarity.py reads them. */
function texts(task: string, count: number): string[][] {
  const file = task === 'stsb' ? 'stsb-en-train.csv' : 'train.tsv';
  const text = readFileSync(sharedPath(`data/${task}/${file}`)!, 'utf8');
  if (task === 'stsb')
    return parseTable(text, 'csv', file, false)
      .rows.slice(0, count)
      .map((row) => [String(row['0']), String(row['1'])]);
  const lines = text.split('\n');
  if (task === 'rte') return lines.slice(1, count + 1).map((line) => line.split('\t').slice(1, 3));
  return lines.slice(0, count).map((line) => [line.slice(0, line.lastIndexOf('\t'))]);
}

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
