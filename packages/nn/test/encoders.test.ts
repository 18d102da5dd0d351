/** @file What is particular to single encoders: positions, distances, windows, poolings, names in older checkpoints. */
import { InputError, tensor } from '@camada/tensor';
import {
  createBatch,
  createContext,
  emptyModel,
  loadWeights,
  modelFromConfig,
  namedParameters,
  sentenceEmbedding,
  supportedTasks,
  type Batch,
  type HeadModel,
  type SentencePooling,
  type WeightFile,
} from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { DistanceTables } from '../src/layers/relative.ts';
import { FAMILIES, batchOf, goldenOf, loadFamily, type Family } from './families.ts';
import { DEVICES, goldenJson, goldenTensors, maxDifference, on } from './support.ts';

const family = (folder: string): Family => FAMILIES.find((row) => row.folder === folder)!;

async function logitsOf(model: HeadModel, batch: Batch): Promise<ArrayLike<number>> {
  return model.call(batch, createContext()).logits.data();
}

describe('distances', () => {
  it('have the buckets of DeBERTa-v3, whose logarithms PyTorch rounds to f32', () => {
    const { buckets } = goldenJson<{ buckets: number[] }>('deberta-buckets.json');
    const tables = new DistanceTables(256, 512);
    for (const [distance, bucket] of buckets.entries()) {
      expect(tables.numberOf(distance)).toBe(Math.min(bucket + 256, 511));
      expect(tables.numberOf(-distance)).toBe(256 - bucket);
    }
  });
});

describe.each(DEVICES)('on %s', (device) => {
  beforeAll(() => on(device));

  it.each(['distilbert', 'roberta', 'deberta', 'modernbert'])(
    '%s gives a row the same logits however much padding follows, and alone',
    async (name) => {
      const row = family(`${name}-classifier`);
      const model = await loadFamily(row);
      const ids = [...goldenOf(row).read('input.input_ids').data].slice(0, 11);
      const short = ids.slice(0, 1);
      const batch = createBatch({ inputIds: [ids.slice(0, 7), short] }, model.limits, 11);
      const [alone, single] = [ids.slice(0, 7), short].map((one) =>
        createBatch({ inputIds: [one] }, model.limits),
      ) as [Batch, Batch];
      const logits = await logitsOf(model, batch);
      const expected = [
        ...Array.from(await logitsOf(model, alone)),
        ...Array.from(await logitsOf(model, single)),
      ];
      expect(maxDifference(logits, expected)).toBeLessThan(1e-5);
    },
  );

  it('pools as sentence-transformers does', async () => {
    interface Golden {
      readonly hidden: number[][][];
      readonly mask: number[][];
      readonly pooled: Record<SentencePooling | 'all', number[][]>;
    }
    const { hidden, mask, pooled } = goldenJson<Golden>('sentence-poolings.json');
    const states = tensor(Float32Array.from(hidden.flat(2)), [3, 5, 4]);
    const real = tensor(Int32Array.from(mask.flat()), [3, 5]);
    const names = Object.keys(pooled).filter((name) => name !== 'all') as SentencePooling[];
    for (const [name, expected] of Object.entries(pooled)) {
      const pooling = name === 'all' ? names : [name as SentencePooling];
      const vectors = sentenceEmbedding(states, real, { pooling, normalize: false });
      expect(vectors.shape).toEqual([3, 4 * pooling.length]);
      expect(maxDifference(await vectors.data(), expected.flat()), name).toBeLessThan(1e-6);
    }
    const unit = sentenceEmbedding(states, real, { pooling: ['mean_tokens'], normalize: true });
    expect(Math.hypot(...Array.from(await unit.data()).slice(0, 4))).toBeCloseTo(1, 6);
  });
});

describe('limits', () => {
  const roberta = goldenJson<Record<string, unknown>>('roberta-classifier/config.json');

  it('RoBERTa keeps its first positions for padding', async () => {
    const model = await loadFamily(family('roberta-classifier'));
    expect(model.limits.maxLength).toBe(11);
    const long = { ...batchOf(goldenOf(family('roberta-classifier'))) };
    const ids = tensor(new Int32Array(12).fill(9), [1, 12]);
    const call = (): unknown =>
      model.call({ ...long, inputIds: ids, attentionMask: ids }, createContext());
    expect(call).toThrow(/12 tokens do not fit a model of 11 positions/);
    expect(() => modelFromConfig({ ...roberta, max_position_embeddings: 2 }, 'masked-lm')).toThrow(
      /leaves no position after pad_token_id 1/,
    );
  });

  it.each([
    ['deberta-classifier', { conv_kernel_size: 3 }, /conv_kernel_size = 3 is not supported/],
    ['deberta-classifier', { embedding_size: 8 }, /embedding_size = 8 is not supported/],
    ['deberta-classifier', { position_buckets: 40 }, /position_buckets 40 must be at least 4/],
    ['modernbert-classifier', { classifier_pooling: 'max' }, /it must be "cls" or "mean"/],
    ['modernbert-classifier', { num_attention_heads: 16 }, /the rotary embedding needs pairs/],
    [
      'modernbert-classifier',
      { hidden_activation: 'mish5' },
      /activation 'mish5' is not supported/,
    ],
    ['distilbert-classifier', { n_heads: 3 }, /16 is not a multiple of num_attention_heads 3/],
    ['distilbert-classifier', { dim: 'wide' }, /'dim' is "wide"/],
    [
      'roberta-classifier',
      { model_type: 'longformer' },
      /supported model_types are bert, distilbert/,
    ],
    ['roberta-masked-lm', { tie_word_embeddings: false }, /tie_word_embeddings = false is not/],
  ])('%s with %j is refused', (folder, change, message) => {
    const config = { ...goldenJson<object>(`${folder}/config.json`), ...change };
    const build = (): unknown => modelFromConfig(config, family(folder).task);
    expect(build).toThrow(InputError);
    expect(build).toThrow(message);
  });

  it('every encoder has every head', () => {
    for (const name of ['bert', 'distilbert', 'roberta', 'deberta', 'modernbert'])
      expect(supportedTasks(goldenJson(`${name}-masked-lm/config.json`))).toEqual([
        'classification',
        'multi-label',
        'regression',
        'token-classification',
        'masked-lm',
        'features',
      ]);
  });
});

describe('checkpoints', () => {
  /** The checkpoint of a golden model under other names. */
  function renamed(folder: string, rename: (name: string) => string): WeightFile {
    const file = goldenTensors(`${folder}/model.safetensors`);
    const names = new Map(file.names.map((name) => [rename(name), name]));
    return { names: [...names.keys()], read: (name) => file.read(names.get(name)!) };
  }

  it.each([
    ['distilbert', 'distilbert'],
    ['roberta', 'roberta'],
    ['deberta', 'deberta'],
    ['modernbert', 'model'],
  ])('a bare %s gets a fresh classifier, and is read as features', async (name, prefix) => {
    const folder = `${name}-classifier`;
    const bare = renamed(folder, (full) => full.replace(`${prefix}.`, ''));
    const encoder = {
      names: bare.names.filter((full) =>
        goldenTensors(`${folder}/model.safetensors`).names.includes(`${prefix}.${full}`),
      ),
      read: (full: string) => bare.read(full),
    };
    const config = goldenJson(`${folder}/config.json`);
    const model = emptyModel(config, 'classification');
    const report = await loadWeights(model, encoder);
    expect(report.unused).toEqual([]);
    expect(report.initialized.length).toBeGreaterThan(1);
    for (const fresh of report.initialized)
      expect(fresh).toMatch(/^(pre_)?classifier|^pooler|^head/);
    const features = emptyModel(config, 'features');
    const { initialized, unused } = await loadWeights(features, encoder);
    expect(unused).toEqual([]);
    expect(initialized.filter((full) => !full.startsWith('pooler.'))).toEqual([]);
    expect(namedParameters(features).size).toBe(encoder.names.length + initialized.length);
  });

  it("DeBERTa's prediction head is found under Microsoft's names", async () => {
    const file = renamed('deberta-masked-lm', (name) =>
      name.replace(/^cls\.predictions\.(transform\.)?/, 'lm_predictions.lm_head.'),
    );
    const model = emptyModel(goldenJson('deberta-masked-lm/config.json'), 'masked-lm');
    const report = await loadWeights(model, file);
    expect(report.initialized).toEqual([]);
    expect(report.unused).toEqual([]);
  });
});
