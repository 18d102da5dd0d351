/** @file SmolLM2 from its GGUF file (`CAMADA_SMOLLM2`), weights packed: load time, prefill and decoding. */
import { locateModel, openModelFolder } from '@camada/hub';
import { emptyModel, generateTokens, loadWeights, namedParameters } from '@camada/nn';
import { realize } from '@camada/tensor';
import { peakResident } from '../../harness/serve.mjs';
import { PROMPT, timedTokens } from '../../programs/smollm2.mjs';

/** A run reads a prompt and writes some tokens. */
export async function smollm2() {
  const start = performance.now();
  const folder = await openModelFolder(await locateModel(process.env['CAMADA_SMOLLM2']));
  const model = emptyModel(folder.config.values, 'causal-lm');
  await loadWeights(model, folder.tensors, { packed: true });
  await realize([...namedParameters(model).values()]);
  const loaded = { loadMs: performance.now() - start, loadPeak: peakResident() };
  const passes = [];
  const run = async () => {
    passes.push(
      await timedTokens((count) =>
        generateTokens(model, PROMPT, { maxNewTokens: count, eosTokenIds: [] }),
      ),
    );
  };
  return { run, report: () => ({ ...loaded, passes: passes.slice(1) }) };
}
