/**
 * @file Frequencies of the rotary embedding: θ^(−2i/D), and the ways to stretch them to texts longer than a model
 * was trained on. Names and formulas are those of Transformers (`modeling_rope_utils.py`).
 */

/** How frequencies are stretched; fields as in `rope_scaling` of `config.json`. */
export type RopeScaling =
  | { readonly rope_type: 'default' }
  | { readonly rope_type: 'linear'; readonly factor: number }
  | DynamicScaling
  | Llama3Scaling
  | YarnScaling
  | LongRopeScaling;

/** Grows the base with the length of the text, from `max_position_embeddings` on. */
export interface DynamicScaling {
  readonly rope_type: 'dynamic';
  readonly factor: number;
  readonly max_position_embeddings: number;
}

/** Divides low frequencies by a factor, keeps high ones, and blends between. */
export interface Llama3Scaling {
  readonly rope_type: 'llama3';
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
}

/** YaRN (Peng et al. 2023, https://arxiv.org/abs/2309.00071). */
export interface YarnScaling {
  readonly rope_type: 'yarn';
  readonly factor: number;
  /** Factor on cosines and sines. */
  readonly attention_factor: number;
  readonly beta_fast: number;
  readonly beta_slow: number;
  readonly original_max_position_embeddings: number;
  /** Whether the range of blended components is rounded to whole ones. */
  readonly truncate: boolean;
}

/** LongRoPE (Ding et al. 2024, https://arxiv.org/abs/2402.13753): a factor a component, short and long texts apart. */
export interface LongRopeScaling {
  readonly rope_type: 'longrope';
  /** D/2 factors. */
  readonly short_factor: readonly number[];
  /** D/2 factors, for texts longer than the original length. */
  readonly long_factor: readonly number[];
  readonly attention_factor: number;
  readonly original_max_position_embeddings: number;
}

/** A rotary embedding. */
export interface RopeParameters {
  /** Components that turn: the head width D, or less where part of a head stays as it is. Even. */
  readonly width: number;
  /** Base of the frequencies. */
  readonly theta: number;
  readonly scaling: RopeScaling;
}

/** Whether the frequencies depend on how long the text is. */
export function dependsOnLength({ scaling }: RopeParameters): boolean {
  return scaling.rope_type === 'dynamic' || scaling.rope_type === 'longrope';
}

/** Factor on cosines and sines. */
export function rotationFactor({ scaling }: RopeParameters): number {
  return 'attention_factor' in scaling ? scaling.attention_factor : 1;
}

/** The D/2 frequencies, in radians a position, for a text of `length` tokens. */
export function ropeFrequencies(rope: RopeParameters, length: number): Float64Array {
  const { width, theta, scaling } = rope;
  switch (scaling.rope_type) {
    case 'default':
      return powers(width, theta);
    case 'linear':
      return powers(width, theta).map((frequency) => frequency / scaling.factor);
    case 'dynamic':
      return powers(width, grownTheta(rope, scaling, length));
    case 'llama3':
      return powers(width, theta).map((frequency) => llama3(frequency, scaling));
    case 'yarn':
      return yarn(rope, scaling);
    case 'longrope': {
      const long = length > scaling.original_max_position_embeddings;
      const factors = long ? scaling.long_factor : scaling.short_factor;
      return powers(width, theta).map((frequency, i) => frequency / factors[i]!);
    }
  }
}

function powers(width: number, theta: number): Float64Array {
  return Float64Array.from({ length: width / 2 }, (_, i) => theta ** ((-2 * i) / width));
}

/** θ·(s·L/M − (s − 1))^(D/(D−2)) for a text of L tokens above the M of training. */
function grownTheta(
  { theta, width }: RopeParameters,
  { factor, max_position_embeddings: trained }: DynamicScaling,
  length: number,
): number {
  const stretch = (factor * Math.max(length, trained)) / trained - (factor - 1);
  return theta * stretch ** (width / (width - 2));
}

/** Frequencies of wavelengths above M/low are divided; those below M/high stay. */
function llama3(frequency: number, scaling: Llama3Scaling): number {
  const { factor, low_freq_factor: low, high_freq_factor: high } = scaling;
  const turns = (scaling.original_max_position_embeddings * frequency) / (2 * Math.PI);
  const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
  return kept * frequency + ((1 - kept) * frequency) / factor;
}

/** Components that turn often keep their frequency, those that turn seldom are divided, between them a ramp. */
function yarn({ width, theta }: RopeParameters, scaling: YarnScaling): Float64Array {
  const component = (turns: number): number =>
    (width * Math.log(scaling.original_max_position_embeddings / (turns * 2 * Math.PI))) /
    (2 * Math.log(theta));
  const round = scaling.truncate
    ? { low: Math.floor, high: Math.ceil }
    : { low: Number, high: Number };
  const low = Math.max(round.low(component(scaling.beta_fast)), 0);
  const high = Math.min(round.high(component(scaling.beta_slow)), width - 1);
  const span = high === low ? 0.001 : high - low;
  return powers(width, theta).map((frequency, i) => {
    const divided = Math.min(1, Math.max(0, (i - low) / span));
    return (divided * frequency) / scaling.factor + (1 - divided) * frequency;
  });
}
