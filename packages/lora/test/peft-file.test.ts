/** @file PEFT's files: its own adapters come back as they were written, and bad ones are told. */
import {
  adapterConfigRecord,
  loraConfig,
  layerKey,
  LORA,
  parseAdapterConfig,
  parseKey,
  readAdapter,
  writeAdapter,
} from '@camada/lora';
import { InputError } from '@camada/tensor';
import {
  encodeSafetensors,
  jsonBytes,
  memoryFolder,
  memorySource,
  type TensorData,
} from '@camada/hub';
import fc from 'fast-check';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';

const GOLDEN = new URL('./golden/', import.meta.url).pathname;
const ADAPTERS = ['bert', 'bert-rslora', 'llama', 'llama-rslora'].flatMap((name) => [
  `${name}/start`,
  `${name}/trained`,
]);

const minimum = { peft_type: 'LORA', target_modules: ['query'] };
const parse = (extra: object): ReturnType<typeof parseAdapterConfig> =>
  parseAdapterConfig({ ...minimum, ...extra }, 'adapter_config.json');

function zeros(...shape: number[]): TensorData {
  return {
    dtype: 'f32',
    shape,
    data: new Float32Array(shape.reduce((n, length) => n * length, 1)),
  };
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(`${tmpdir()}/camada-peft-`);
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe.each(ADAPTERS)('PEFT wrote %s', (name) => {
  test('it is read without a warning and complete', async () => {
    const adapter = await readAdapter(GOLDEN + name);
    const bert = name.startsWith('bert');
    expect(adapter.warnings).toEqual([]);
    expect(adapter.config).toMatchObject({
      r: 4,
      lora_alpha: 8,
      use_rslora: name.includes('rslora'),
      target_modules: bert ? ['query', 'value'] : ['q_proj', 'v_proj'],
      layers_to_transform: bert ? [1, 2] : null,
      modules_to_save: bert ? ['classifier', 'score'] : null,
      task_type: bert ? 'SEQ_CLS' : 'CAUSAL_LM',
    });
    expect(adapter.layers.size).toBe(bert ? 4 : 6);
    expect([...adapter.parameters.keys()]).toEqual(
      bert ? ['classifier.bias', 'classifier.weight'] : [],
    );
  });

  test('written again, the tensors are the same file and the config says the same', async () => {
    const adapter = await readAdapter(GOLDEN + name);
    await inFolder(async (folder) => {
      await writeAdapter(`${folder}/out`, adapter);
      expect((await readdir(`${folder}/out`)).sort()).toEqual([
        'adapter_config.json',
        'adapter_model.safetensors',
      ]);
      const bytes = async (path: string): Promise<Buffer> =>
        readFile(`${path}/adapter_model.safetensors`);
      expect((await bytes(`${folder}/out`)).equals(await bytes(GOLDEN + name))).toBe(true);
      const record = async (path: string): Promise<Record<string, unknown>> =>
        JSON.parse(await readFile(`${path}/adapter_config.json`, 'utf8')) as Record<
          string,
          unknown
        >;
      const theirs = await record(GOLDEN + name);
      const ours = await record(`${folder}/out`);
      delete theirs['modules_to_save'];
      delete ours['modules_to_save'];
      expect(theirs).toMatchObject(ours);
    });
  });
});

describe('adapter_config.json', () => {
  test('old versions of PEFT know every key of a plain adapter', () => {
    const config = loraConfig({ target_modules: ['query'] });
    expect(Object.keys(adapterConfigRecord(LORA, config))).toEqual([
      'alpha_pattern',
      'auto_mapping',
      'base_model_name_or_path',
      'bias',
      'fan_in_fan_out',
      'inference_mode',
      'init_lora_weights',
      'layers_pattern',
      'layers_to_transform',
      'lora_alpha',
      'lora_dropout',
      'modules_to_save',
      'peft_type',
      'r',
      'rank_pattern',
      'revision',
      'target_modules',
      'task_type',
    ]);
    const newer = loraConfig({
      target_modules: ['query'],
      use_rslora: true,
      exclude_modules: ['key'],
    });
    expect(adapterConfigRecord(LORA, newer)).toMatchObject({
      use_rslora: true,
      exclude_modules: ['key'],
    });
  });

  test('what is written is what is read', () => {
    const names = fc.array(fc.constantFrom('query', 'value', 'dense', 'a.b'), { minLength: 1 });
    const options = fc.record({
      target_modules: names,
      r: fc.integer({ min: 1, max: 256 }),
      lora_alpha: fc.double({ min: 0.1, max: 512, noNaN: true }),
      lora_dropout: fc.constantFrom(0, 0.1),
      use_rslora: fc.boolean(),
      bias: fc.constantFrom('none', 'all', 'lora_only'),
      layers_to_transform: fc.option(fc.array(fc.nat(31), { minLength: 1 })),
      rank_pattern: fc.dictionary(
        fc.constantFrom('query', 'layer.1.*value'),
        fc.integer({ min: 1, max: 9 }),
      ),
      modules_to_save: fc.constantFrom(null, ['classifier']),
      exclude_modules: fc.constantFrom(null, ['key'], '.*pooler.*'),
    });
    fc.assert(
      fc.property(options, (chosen) => {
        const config = loraConfig(chosen);
        const record: unknown = JSON.parse(JSON.stringify(adapterConfigRecord(LORA, config)));
        const back = parseAdapterConfig(record as Record<string, unknown>, 'f');
        expect(back).toEqual({ method: LORA, config, warnings: [] });
      }),
    );
  });

  test('the minimum has the defaults of PEFT', () => {
    expect(parse({}).config).toEqual(loraConfig({ target_modules: ['query'] }));
    expect(parse({ layers_to_transform: 3 }).config).toMatchObject({ layers_to_transform: [3] });
    expect(parse({ layers_to_transform: [] }).config).toMatchObject({ layers_to_transform: null });
  });

  test('unknown keys are told, silent ones are not', () => {
    const { warnings } = parse({
      colour: 'blue',
      shade: null,
      use_new: false,
      megatron_core: 'x',
      loftq_config: {},
    });
    expect(warnings).toEqual(['adapter_config.json: the key "colour" is unknown and ignored.']);
  });

  test.each([
    [{ use_qalora: true }, /"use_qalora" is true, which changes what the adapter computes/],
    [{ use_something_new: true }, /"use_something_new" is true/],
    [{ lora_bias: true }, /"lora_bias"/],
    [{ layer_replication: [[0, 4]] }, /"layer_replication"/],
    [{ trainable_token_indices: [1] }, /"trainable_token_indices"/],
    [{ init_lora_weights: 'pissa' }, /init_lora_weights "pissa" changes the model's own weights/],
    [{ init_lora_weights: 'pissa_niter_4' }, /pissa_niter_4/],
    [{ peft_type: 'POLY' }, /peft_type is "POLY", but only LORA/],
    [{ target_modules: null }, /"target_modules" is missing/],
    [{ target_modules: [] }, /target_modules is \[\], but must be at least one/],
    [{ target_modules: [1] }, /"target_modules" is \[1\]/],
    [{ r: 0 }, /r is 0, but must be a whole number from 1/],
    [{ r: 'x' }, /"r" is "x"/],
    [{ lora_alpha: -1 }, /lora_alpha is -1, but must be a number above 0/],
    [{ lora_dropout: 1 }, /lora_dropout is 1/],
    [{ bias: 'some' }, /"bias" is "some", but must be none, all or lora_only/],
    [{ rank_pattern: { query: 0 } }, /query is 0, but must be a whole number/],
    [{ rank_pattern: { '(': 4 } }, /the pattern "\(" is not valid/],
    [{ target_modules: '(a+)+b' }, /repeats a group that holds a repetition/],
    [{ target_modules: '.*'.repeat(2000) }, /a pattern of 4000 characters/],
    [{ target_modules: '.*query', layers_to_transform: [1] }, /goes with a list of target_modules/],
    [{ layers_pattern: 'layers' }, /layers_pattern needs layers_to_transform/],
    [{ layers_to_transform: [-1] }, /whole numbers from 0/],
  ])('%o is refused', (extra, pattern) => {
    expect(() => parse(extra)).toThrow(pattern);
    expect(() => parse(extra)).toThrow(InputError);
  });
});

describe('keys', () => {
  test('go both ways', () => {
    const path = 'bert.encoder.layer.0.attention.self.query';
    for (const suffix of ['lora_A.weight', 'lora_B.weight', 'lora_embedding_A']) {
      const key = layerKey(path, suffix);
      expect(key).toBe(`base_model.model.${path}.${suffix}`);
      expect(parseKey(key, LORA, 'f')).toEqual({ kind: 'layer', path, suffix });
    }
    const parameter = { kind: 'parameter', name: 'classifier.weight' };
    expect(parseKey('base_model.model.classifier.weight', LORA, 'f')).toEqual(parameter);
    const bias = { kind: 'parameter', name: 'q.bias' };
    expect(parseKey('base_model.model.q.base_layer.bias', LORA, 'f')).toEqual(bias);
  });

  test.each(['classifier.weight', 'base_model.model.q.lora_B.bias', 'base_model.model.q.ia3_l'])(
    '%s is refused',
    (key) => {
      expect(() => parseKey(key, LORA, 'f')).toThrow(InputError);
    },
  );
});

describe('adapters', () => {
  test('no tensors of the method, and a missing file, are refused', async () => {
    const tensors = encodeSafetensors({ 'base_model.model.classifier.weight': zeros(8, 4) });
    const files = new Map([
      ['adapter_config.json', memorySource(jsonBytes(minimum))],
      ['adapter_model.safetensors', memorySource(Buffer.concat(tensors), 'a')],
    ]);
    await expect(readAdapter(memoryFolder(files))).rejects.toThrow(
      'a: the adapter holds no tensors of LORA',
    );
    files.delete('adapter_config.json');
    await expect(readAdapter(memoryFolder(files, 'm'))).rejects.toThrow(
      /m has no adapter_config\.json/,
    );
  });
});
