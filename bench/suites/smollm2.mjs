/** @file SmolLM2-135M-Instruct (GGUF, Q4_1): prefill, decoding, load time and memory, beside llama.cpp. */
import { statSync } from 'node:fs';
import { bounded, reported, unmeasured, versus } from '../harness/rows.mjs';
import { summary } from '../harness/statistics.mjs';
import { PROMPT } from '../programs/smollm2.mjs';
import { llama, wasm, webgpu } from './contenders.mjs';

export const name = 'smollm2';
export const title = 'SmolLM2-135M, Q4_1: 256 tokens of prompt, then 32';

const path = process.env['CAMADA_SMOLLM2'];
const OURS = { wasm: 'Camada, wasm, 2 threads', lavapipe: 'Camada, WebGPU on lavapipe' };
const LLAMA = 'llama.cpp, 2 threads';

/** What is measured. */
export function groups(quick) {
  if (!path || quick) return {};
  const peer = process.env['CAMADA_LLAMA'] ? { [LLAMA]: llama(2) } : {};
  return {
    model: {
      contenders: { [OURS.wasm]: wasm(2), [OURS.lavapipe]: webgpu('lavapipe'), ...peer },
      tasks: { text: { task: 'smollm2', params: { warm: 1 } } },
    },
  };
}

/** Rows of the table. */
export function rows({ model }) {
  if (!model && path) return []; // too long for a quick look
  if (!model)
    return [unmeasured('decoding and prefill', 'stated', 'CAMADA_SMOLLM2 names no GGUF file')];
  const { size } = statSync(path);
  return Object.values(OURS).flatMap((label) => [
    speed('prefill', PROMPT.length, model.text, label),
    speed('token', 1, model.text, label),
    memory(label, model.text, size),
    loading(label, model.text),
  ]);
}

/** Tokens a second of one phase. */
function speed(phase, tokens, entries, label) {
  const ofPhase = ([who, entry]) =>
    entry.error === undefined
      ? [who, summary(entry.report.passes.map((pass) => pass[phase]))]
      : [who, entry];
  const results = Object.fromEntries(Object.entries(entries).map(ofPhase));
  const what = `${label}: ${phase === 'token' ? 'decoding' : 'prefill'}, tokens a second`;
  const show = (ms) => ((1000 * tokens) / ms).toFixed(1);
  return versus(what, results, { ours: label, peers: [LLAMA], show });
}

function memory(label, entries, size) {
  const mine = reported(entries[label], 'loadPeak');
  const theirs = reported(entries[LLAMA] ?? { error: '' }, 'loadPeak');
  const note = theirs ? `llama.cpp: ${(theirs / size).toFixed(2)}×` : '';
  const what = `${label}: peak resident after loading, of the file's ${(size / 1e6).toFixed(0)} MB`;
  return bounded(what, mine / size, { most: 1.3, unit: '×', note: entries[label].error ?? note });
}

function loading(label, entries) {
  const results = Object.fromEntries(
    Object.entries(entries).map(([who, entry]) => {
      const ms = reported(entry, 'loadMs');
      return [who, ms === undefined ? entry : summary([ms])];
    }),
  );
  return versus(`${label}: load time`, results, { ours: label, peers: [LLAMA] });
}
