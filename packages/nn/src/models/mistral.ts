/** @file Mistral (Jiang et al. 2023, https://arxiv.org/abs/2310.06825): Llama whose queries see a window of tokens. */
import type { Architecture } from './architecture.ts';
import { ConfigReader } from './config.ts';
import { decoderArchitecture } from './decoder/architecture.ts';
import { optionalSize } from './decoder/config.ts';
import { llamaModel } from './llama.ts';
import { readLlamaConfig, type LlamaConfig } from './llama-config.ts';

/** Reads a Mistral configuration. Throws InputError that names a bad field. */
export function parseMistralConfig(config: unknown): LlamaConfig {
  const base = readLlamaConfig(config, 'mistral', { max_position_embeddings: 131072 });
  const window = optionalSize(new ConfigReader(config), 'sliding_window', 4096);
  const type = window === null ? 'full_attention' : 'sliding_attention';
  return { ...base, sliding_window: window, layer_types: base.layer_types.map(() => type) };
}

/** Mistral. */
export const MISTRAL: Architecture = decoderArchitecture({
  family: 'Mistral',
  parse: parseMistralConfig,
  build: (config: LlamaConfig) => llamaModel(config),
});
