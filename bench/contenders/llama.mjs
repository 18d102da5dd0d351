/**
 * @file llama.cpp through node-llama-cpp as a contender, on the processor. It brings builds of 700 MB, so it is not
 * installed with the other peers: `CAMADA_LLAMA` is the folder of an installed package `node-llama-cpp`.
 */
import { pathToFileURL } from 'node:url';
import { peakResident, serve } from '../harness/serve.mjs';
import { PROMPT, timedTokens } from '../programs/smollm2.mjs';

const [threads] = process.argv.slice(2).map(Number);

/** A run reads a prompt and writes some tokens. */
async function smollm2() {
  const entry = pathToFileURL(`${process.env['CAMADA_LLAMA']}/dist/index.js`).href;
  const { getLlama, LlamaLogLevel } = await import(entry);
  const start = performance.now();
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error });
  const model = await llama.loadModel({ modelPath: process.env['CAMADA_SMOLLM2'] });
  const context = await model.createContext({ contextSize: 512, threads });
  const loaded = { loadMs: performance.now() - start, loadPeak: peakResident() };
  const sequence = context.getSequence();
  const passes = [];
  const run = async () => {
    await sequence.clearHistory();
    passes.push(await timedTokens(() => sequence.evaluate(PROMPT, { temperature: 0 })));
  };
  return { run, report: () => ({ ...loaded, passes: passes.slice(1) }) };
}

serve({ smollm2 });
