/**
 * @file `npm run demo`: the whole path on real input, without a network or a GPU. A pretrained encoder (`camada-mini`) is
 * measured layer by layer with CKA on WordNet's definitions, fine-tuned in three ways, judged on definitions that it has
 * never seen, and saved as an adapter that Hugging Face PEFT opens. Everything is seeded.
 */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InputError, device } from '@camada/tensor';
import { loadModel, type LoadedModel } from '@camada/finetune';
import { makeGlosses, writeGlosses, type GlossSplit } from '../data/glosses.ts';
import { fineTuneThreeWays, type Trial } from './trials.ts';
import { textTable } from './table.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const modelFolder = join(root, 'examples/models/camada-mini');
const output = join(root, 'out/demo');

async function main(): Promise<void> {
  const began = performance.now();
  const model = await openModel();
  const { info } = await device();
  say(`Device: ${info.backend} (${info.adapter})\n`);
  const glosses = makeGlosses();
  const data = writeGlosses(glosses, join(output, 'data'));
  introduce(glosses);
  const trials = await fineTuneThreeWays(model, data, output);
  say(`\nAccuracy on ${glosses.test.length} definitions that no training saw:\n`);
  say(comparison(trials, glosses));
  const adapter = relative(process.cwd(), join(output, 'lora-cka')) || '.';
  say(`\nThe adapter of the layers that CKA chose is in ${adapter} (PEFT's format),`);
  say(`with its report: open ${join(adapter, 'report.html')} in a browser.`);
  say(`${((performance.now() - began) / 1000).toFixed(0)} seconds in all.`);
}

async function openModel(): Promise<LoadedModel> {
  if (existsSync(join(modelFolder, 'model.safetensors'))) return loadModel(modelFolder);
  throw new InputError(`${modelFolder} has no model.safetensors; make it with: npm run pretrain`);
}

function introduce({ train, test, labels }: GlossSplit): void {
  say(
    `Task: which kind of thing does a definition describe? ${labels.length} kinds, from WordNet;`,
  );
  say(`${train.length} definitions to learn from, ${test.length} held out. For example:`);
  for (const { text, label } of train.slice(0, 3))
    say(`  ${label.padEnd(20)} ${text.slice(0, 90)}`);
  say('');
}

function comparison(trials: readonly Trial[], { test, labels }: GlossSplit): string {
  const count = (label: string): number => test.filter((row) => row.label === label).length;
  const majority = Math.max(...labels.map(count)) / test.length;
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const rows = trials.map(({ title, run }) => [
    title,
    run.layers.length > 0 ? run.layers.join(' ') : '-',
    run.trainableParameters.toLocaleString('en'),
    `${run.seconds.toFixed(0)} s`,
    percent(run.after.accuracy ?? NaN),
  ]);
  return textTable([
    ['method', 'layers trained', 'parameters', 'time', 'accuracy'],
    ['always the most frequent kind', '-', '0', '0 s', percent(majority)],
    ...rows,
  ]);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
