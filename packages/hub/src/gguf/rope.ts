/** @file How the rotary embedding of a GGUF model is scaled, in the words of `config.json`. */
import { InputError } from '@camada/tensor';
import type { JsonRecord } from '../bytes/text.ts';
import type { GgufFacts } from './architectures.ts';

/** The tensors that scale frequencies, [D/2] each; undefined where a file has none. */
export interface RopeFactors {
  /** `rope_freqs.weight`: what Llama 3 divides each frequency by. */
  readonly frequencies: Float32Array | undefined;
  /** `rope_factors_long.weight` and `rope_factors_short.weight` of Phi-3. */
  readonly long: Float32Array | undefined;
  readonly short: Float32Array | undefined;
}

/** What scaling asks of a file. */
interface RopeFacts extends GgufFacts {
  readonly file: string;
  text(key: string): string | undefined;
}

/** The numbers of Llama 3's scaling; all its models have these, and factors 8 or 32. */
const LLAMA3 = {
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};

/** `rope_scaling` and what goes with it; nothing where frequencies are plain. Throws `InputError` on other kinds. */
export function ropeScaling(facts: RopeFacts, factors: RopeFactors): JsonRecord {
  if (factors.frequencies) return { rope_scaling: llama3Scaling(facts, factors.frequencies) };
  if (factors.long && factors.short) return longRope(facts, factors.long, factors.short);
  const type = facts.text('rope.scaling.type') ?? 'none';
  if (type === 'none') return {};
  const factor = facts.number('rope.scaling.factor') ?? 1;
  if (type === 'linear') return { rope_scaling: { rope_type: 'linear', factor } };
  const original = facts.number('rope.scaling.original_context_length');
  if (type === 'yarn')
    return {
      rope_scaling: { rope_type: 'yarn', factor, original_max_position_embeddings: original },
    };
  throw new InputError(
    `${facts.file}: the rotary scaling "${type}" is not known; none, linear and yarn are, so take another file.`,
  );
}

/** The factors of Llama 3 do not name their numbers: the usual ones are tried and must give the same factors. */
function llama3Scaling(facts: RopeFacts, stored: Float32Array): JsonRecord {
  const factor = Math.max(...stored);
  const base = facts.number('rope.freq_base') ?? 10000;
  const scaling = { rope_type: 'llama3', factor, ...LLAMA3 };
  const expected = llama3Factors(scaling, base, 2 * stored.length);
  if (expected.every((value, i) => Math.abs(value - stored[i]!) <= 1e-3 * value)) return scaling;
  throw new InputError(
    `${facts.file}: "rope_freqs.weight" holds other factors than Llama 3's scaling by ${factor}; take the safetensors files.`,
  );
}

/** The numbers that Llama 3's scaling is computed from. */
export interface Llama3Scaling {
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
}

/**
 * What each of the D/2 frequencies is divided by: 1 for short waves, `factor` for long ones, smooth between. Llama 3.1,
 * https://github.com/meta-llama/llama-models (`apply_scaling`).
 */
export function llama3Factors(scaling: Llama3Scaling, base: number, width: number): Float32Array {
  const { factor, low_freq_factor: low, high_freq_factor: high } = scaling;
  const original = scaling.original_max_position_embeddings;
  return Float32Array.from({ length: width / 2 }, (_, i) => {
    const wave = 2 * Math.PI * base ** ((2 * i) / width);
    if (wave < original / high) return 1;
    if (wave > original / low) return factor;
    const smooth = (original / wave - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

function longRope(facts: RopeFacts, long: Float32Array, short: Float32Array): JsonRecord {
  const original = facts.number('rope.scaling.original_context_length') ?? 4096;
  return {
    original_max_position_embeddings: original,
    rope_scaling: { type: 'longrope', long_factor: [...long], short_factor: [...short] },
  };
}
