/**
 * @file One model in every kind of file: converted, opened, and heard to say the same; from a hub, too. The commands are
 * run as users run them.
 */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openModelFolder, writeSafetensors, type TensorData } from '@camada/hub';
import { widenHalves } from '@camada/tensor';
import { generateText, loadModel } from '@camada/finetune';
import { modelFromConfig, namedParameters } from '@camada/nn';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHub } from '../../hub/test/hub-server.ts';
import { camada, temporaryFolder } from './tiny.ts';

const TOKENIZER = new URL(
  '../../hub/test/golden/tokenizers/bpe-byte-fallback.json',
  import.meta.url,
);

const CONFIG = {
  model_type: 'llama',
  architectures: ['LlamaForCausalLM'],
  torch_dtype: 'float32',
  vocab_size: 420,
  hidden_size: 64,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  num_hidden_layers: 2,
  intermediate_size: 96,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  bos_token_id: 1,
  eos_token_id: 2,
  initializer_range: 0.3,
};

let root = '';
const at = (name: string): string => join(root, name);

beforeAll(async () => {
  root = temporaryFolder();
  const tensors = new Map<string, TensorData>();
  for (const [name, parameter] of namedParameters(
    modelFromConfig(CONFIG, 'causal-lm', { seed: 2 }),
  ))
    tensors.set(name, {
      dtype: 'f32',
      shape: parameter.shape,
      data: Float32Array.from(await parameter.data()),
    });
  await writeSafetensors(at('model/model.safetensors'), tensors);
  writeFileSync(at('model/config.json'), JSON.stringify(CONFIG));
  cpSync(TOKENIZER, at('model/tokenizer.json'));
  writeFileSync(
    at('model/tokenizer_config.json'),
    JSON.stringify({ bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' }),
  );
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

async function text(model: string): Promise<string> {
  const loaded = await loadModel(model);
  return (await generateText(loaded, { prompt: 'The quick', maxNewTokens: 16 })).text;
}

async function run(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await camada(...args, '--json');
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('camada:')]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('camada convert', () => {
  const formats = [
    ['f16', 0.002],
    ['bf16', 0.02],
    ['gguf-f32', 0],
    ['gguf-f16', 0.002],
    ['gguf-q8_0', 0.02],
  ] as const;

  test.each(formats)('%s', async (format, tolerance) => {
    const output = at(format);
    const { files } = await run(
      'convert',
      '--model',
      at('model'),
      '--format',
      format,
      '--output',
      output,
    );
    expect(files).toEqual(
      format.startsWith('gguf')
        ? ['model.gguf']
        : ['model.safetensors', 'config.json', 'tokenizer.json', 'tokenizer_config.json'],
    );
    const [original, converted] = [
      await openModelFolder(at('model')),
      await openModelFolder(output),
    ];
    expect(converted.tensors.names).toEqual(original.tensors.names);
    for (const name of original.tensors.names) {
      const [{ data }, again] = [
        await original.tensors.read(name),
        await converted.tensors.read(name),
      ];
      expect(again.shape).toEqual(original.tensors.entry(name).shape);
      const values = widened(again);
      const largest = Math.max(...data.map(Math.abs));
      expect(Math.max(...values.map((value, i) => Math.abs(value - data[i]!)))).toBeLessThanOrEqual(
        tolerance * largest,
      );
    }
    if (format === 'f16') expect(converted.config.get('torch_dtype')).toBe('float16');
    // A random model's likeliest token is far ahead of the others: rounding does not change it.
    expect((await text(output)).slice(0, 12)).toBe((await text(at('model'))).slice(0, 12));
  });

  test('shards with their index, and back from GGUF', async () => {
    const size = ['--shard-size', '0.0001'];
    await run('convert', '--model', at('gguf-f32/model.gguf'), ...size, '--output', at('sharded'));
    const names = readdirSync(at('sharded')).filter((name) => name.endsWith('.safetensors'));
    expect(names.length).toBeGreaterThan(2);
    expect(names[0]).toMatch(/^model-00001-of-0000\d\.safetensors$/);
    const index = JSON.parse(
      readFileSync(at('sharded/model.safetensors.index.json'), 'utf8'),
    ) as object;
    expect(index).toHaveProperty('weight_map');
    const said = await text(at('model'));
    expect(said.length).toBeGreaterThan(12);
    expect(await text(at('sharded'))).toBe(said);
  });

  test('says what it needs', async () => {
    const { code, stderr } = await camada('convert', '--output', at('never'));
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/needs either --model MODEL, or --checkpoint/),
    ]);
  });
});

function widened({ dtype, data }: TensorData): Float32Array {
  if (dtype === 'f16' || dtype === 'bf16') return widenHalves(data as Uint16Array, dtype);
  return Float32Array.from(data);
}

test('camada fetch, and a model by its name', async () => {
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
  const files = new Map(
    [...names, 'README.md'].map((name) => [
      name,
      name === 'README.md' ? new Uint8Array(3) : new Uint8Array(readFileSync(at(`model/${name}`))),
    ]),
  );
  const hub = await openHub(files);
  const before = { ...process.env };
  Object.assign(process.env, { HF_ENDPOINT: hub.endpoint, HF_HOME: at('cache'), HF_TOKEN: 'hf_x' });
  try {
    const fetched = await run('fetch', 'org/model');
    expect(fetched).toMatchObject({ model: 'org/model', files: [...names].sort() });
    expect(readdirSync(String(fetched['path'])).sort()).toEqual([...names].sort());
    process.env['HF_HUB_OFFLINE'] = '1';
    const prompt = ['--prompt', 'The quick', '--max-new-tokens', '16'];
    const generated = await run('generate', '--model', 'org/model', ...prompt);
    expect(generated['text']).toBe(await text(at('model')));
    const { stderr } = await camada('fetch', 'org/other');
    expect(stderr).toMatch(/org\/other@main is not in the cache/);
  } finally {
    for (const name of ['HF_ENDPOINT', 'HF_HOME', 'HF_TOKEN', 'HF_HUB_OFFLINE'])
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    await hub.close();
  }
});
