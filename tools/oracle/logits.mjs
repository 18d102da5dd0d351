/**
 * @file Logits for the texts on standard input (a JSON list), as Camada computes them: of a classifier, or of a
 * causal language model after each text's last token.
 * `node tools/oracle/logits.mjs --model DIR [--adapter DIR] < texts.json` prints `{ "device": …, "logits": [[…], …] }`.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openModelFolder } from '@camada/hub';
import { createBatch, createContext, emptyModel, loadWeights } from '@camada/nn';
import { loadAdapter, readAdapter } from '@camada/lora';
import { device } from '@camada/tensor';

const BATCH = 8;
const MAX_LENGTH = 64;

const { values } = parseArgs({
  options: { model: { type: 'string' }, adapter: { type: 'string' } },
});

/** A language model's configuration names it; everything else is opened as a classifier. */
function isCausal(folder) {
  return folder.config.values.architectures?.some((name) => name.endsWith('ForCausalLM')) ?? false;
}

/** Outputs of the classifier that is used: the adapter's where it has one, else the checkpoint's. */
async function countLabels(folder) {
  const saved = values.adapter && (await readAdapter(values.adapter)).parameters;
  const own = saved && saved.get('classifier.weight');
  return (own ?? folder.tensors.entry('classifier.weight')).shape[0];
}

/** The model with its weights, and the adapter on it where one is given. */
async function open(folder) {
  const config = folder.config.values;
  const model = isCausal(folder)
    ? emptyModel(config, 'causal-lm')
    : emptyModel(config, 'classification', { numLabels: await countLabels(folder) });
  const { initialized } = await loadWeights(model, folder.tensors);
  const { adapter } = values.adapter ? await loadAdapter(model, values.adapter) : {};
  const missing = initialized.filter((name) => !adapter?.trainable.has(name));
  if (missing.length > 0) throw new Error(`neither file holds ${missing.join(', ')}`);
  return model;
}

/** Logits of up to BATCH texts, padded to the longest: [B, N], or [B, V] of the last tokens. */
async function logitsOf(model, { tokenizer, causal }, texts) {
  const rows = texts.map((text) => tokenizer.encode(text, undefined, { maxLength: MAX_LENGTH }));
  const length = Math.max(...rows.map((row) => row.ids.length));
  const positions = rows.map((row, b) => b * length + row.ids.length - 1);
  const inputIds = rows.map((row) => row.ids);
  const rest = causal ? { positions } : { tokenTypeIds: rows.map((row) => row.typeIds) };
  const batch = createBatch({ inputIds, ...rest }, model.limits);
  const { logits } = model.call(batch, createContext());
  const data = Array.from(await logits.data());
  const [, width] = logits.shape;
  return texts.map((_, i) => data.slice(i * width, (i + 1) * width));
}

const folder = await openModelFolder(values.model);
const model = await open(folder);
const texts = JSON.parse(readFileSync(0, 'utf8'));
const reader = { tokenizer: folder.tokenizer, causal: isCausal(folder) };
const logits = [];
for (let start = 0; start < texts.length; start += BATCH)
  logits.push(...(await logitsOf(model, reader, texts.slice(start, start + BATCH))));
const { info } = await device();
process.stdout.write(JSON.stringify({ device: info.adapter, logits }) + '\n');
