/**
 * @file Qwen 2 and 2.5 (https://arxiv.org/abs/2412.15115): Llama with biases on queries, keys and values. Qwen 3
 * (https://arxiv.org/abs/2505.09388): without them, with norms of the heads of queries and keys.
 */
import type { Architecture } from './architecture.ts';
import { ConfigReader } from './config.ts';
import { decoderArchitecture } from './decoder/architecture.ts';
import { checkDecoder, layerTypes, optionalSize } from './decoder/config.ts';
import { llamaModel, rmsNorm } from './llama.ts';
import { readLlamaConfig, type LlamaConfig } from './llama-config.ts';

/** Reads a Qwen 2 configuration. Throws InputError that names a bad field. */
export function parseQwen2Config(config: unknown): LlamaConfig {
  const base = readLlamaConfig(config, 'qwen2', { max_position_embeddings: 32768 });
  return { ...windowed(config, base), attention_bias: { input: true, output: false } };
}

/** Reads a Qwen 3 configuration. Throws InputError that names a bad field. */
export function parseQwen3Config(config: unknown): LlamaConfig {
  const defaults = { max_position_embeddings: 32768, head_dim: 128 };
  return windowed(config, readLlamaConfig(config, 'qwen3', defaults));
}

/** The upper blocks have a window where `use_sliding_window` asks for it. */
function windowed(config: unknown, base: LlamaConfig): LlamaConfig {
  const read = new ConfigReader(config);
  const used = read.flag('use_sliding_window', false);
  const sliding_window = used ? optionalSize(read, 'sliding_window', 4096) : null;
  const full = read.index('max_window_layers', 28);
  const layer_types = layerTypes(read, base.num_hidden_layers, (block) =>
    sliding_window !== null && block >= full ? 'sliding_attention' : 'full_attention',
  );
  const result = { ...base, sliding_window, layer_types };
  checkDecoder(result);
  return result;
}

/** Qwen 2 and 2.5. */
export const QWEN2: Architecture = decoderArchitecture({
  family: 'Qwen2',
  parse: parseQwen2Config,
  build: (config: LlamaConfig) => llamaModel(config),
});

/** Qwen 3. */
export const QWEN3: Architecture = decoderArchitecture({
  family: 'Qwen3',
  parse: parseQwen3Config,
  build: (config: LlamaConfig) => llamaModel(config, rmsNorm(config)),
});
