/** @file `camada inspect`, and adapters that `camada convert` turns, on what PEFT saved; the built command is run as users run it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inspect, type Inspection } from '@camada/finetune';
import { camada, temporaryFolder } from './tiny.ts';

const golden = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const ADAPTER = golden('lora/test/golden/operations/adapters');
const LLAMA = golden('lora/test/golden/llama/trained');
const BERT = golden('nn/test/golden/bert-classifier');

let root = '';
beforeAll(() => {
  root = temporaryFolder();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function fails(...args: string[]): Promise<string> {
  const { code, stderr } = await camada(...args);
  expect(code).toBe(1);
  return stderr;
}

describe('camada inspect', () => {
  test('prints tables; with --json one object, the same as in code', async () => {
    const { code, stdout } = await camada('inspect', ADAPTER, `${ADAPTER}/narrow`, '--model', BERT);
    expect(code).toBe(0);
    expect(stdout).toMatch(/self\.query +4 +13\.23 +9\.31 +3\.782 +2\.02\n/);
    expect(stdout).toMatch(/amplified by\n.*self\.query +4 +8\.003 +13\.23 /);
    expect(stdout).toMatch(/φ\(i, j\)\n\n.*\n.*self\.query +0\.03829 +0\.1416 +0\.125 /);
    const json = await camada('inspect', ADAPTER, '--model', BERT, '--directions', '2', '--json');
    const printed = JSON.parse(json.stdout) as Inspection;
    expect(printed).toEqual(await inspect(ADAPTER, { model: BERT, directions: 2 }));
    expect(printed.layers[0]!.weight).toMatchObject({ k: 2 });
    expect(printed.layers[0]!.weight!.factor).toBeCloseTo(28.59138, 3);
  });

  test('draws spectra, layers and subspaces, and keeps the numbers', async () => {
    const output = join(root, 'pictures');
    const other = join(root, 'mlx');
    await camada('convert', '--adapter', LLAMA, '--to', 'mlx-lm', '--output', other);
    const { code } = await camada('inspect', LLAMA, other, '--output', output);
    expect(code).toBe(0);
    const names = readdirSync(output);
    expect(names).toContain('spectrum.svg');
    expect(names).toContain('layers-A-self_attn.q_proj.svg');
    expect(names).toContain('subspaces-B-model.layers.2.self_attn.v_proj.svg');
    for (const name of names.filter((each) => each.endsWith('.svg')))
      expect(readFileSync(join(output, name), 'utf8')).toMatch(/^<svg [^]*<\/svg>$/);
    const kept = JSON.parse(readFileSync(join(output, 'inspection.json'), 'utf8')) as Inspection;
    // The same adapter: every subspace contains itself.
    for (const { A, B } of kept.compared)
      for (const matrix of [A, B]) matrix.forEach((row, i) => expect(row[i]).toBeCloseTo(1, 5));
    expect(kept.between[0]!.paths).toHaveLength(3);
    expect(kept.between[0]!.A[0]![0]).toBeCloseTo(1, 10);
  });

  test('a reader that stops early does not end it', async () => {
    const output = join(root, 'piped');
    const command = fileURLToPath(new URL('../bin/camada.js', import.meta.url));
    const piped = spawn('node', [command, 'inspect', LLAMA, '--output', output]);
    piped.stdout.destroy();
    const [code] = (await once(piped, 'close')) as [number];
    expect(code).toBe(0);
    expect(readdirSync(output)).toContain('inspection.json');
  });

  test('says what does not belong together', async () => {
    expect(await fails('inspect', ADAPTER, LLAMA)).toMatch(/the adapters share no layer/);
    expect(await fails('inspect', LLAMA, '--model', BERT)).toMatch(/another model\?/);
    expect(await fails('inspect', ADAPTER, LLAMA, BERT)).toMatch(/is a third/);
    expect(await fails('inspect')).toMatch(/needs --adapter DIR/);
    expect(await fails('inspect', ADAPTER, '--directions', '0')).toMatch(/whole number from 1/);
  });
});

describe('camada convert --adapter', () => {
  test("there and back: PEFT's tensors to the byte", async () => {
    const [there, back] = [join(root, 'there'), join(root, 'back')];
    await camada('convert', '--adapter', LLAMA, '--to', 'mlx-lm', '--output', there);
    expect(readdirSync(there)).toEqual(['adapter_config.json', 'adapters.safetensors']);
    await camada('convert', '--adapter', there, '--output', back);
    const file = 'adapter_model.safetensors';
    expect(readFileSync(join(back, file))).toEqual(readFileSync(join(LLAMA, file)));
  });

  test('a model and an adapter at once are refused', async () => {
    const both = ['--adapter', LLAMA, '--model', BERT, '--output', join(root, 'never')];
    expect(await fails('convert', ...both)).toMatch(/needs either --model MODEL/);
    expect(existsSync(join(root, 'never'))).toBe(false);
  });
});
