/**
 * @file How many tokens of each text are kept when a sequence is too long, after the Rust tokenizers that
 * Transformers uses: https://github.com/huggingface/tokenizers, `utils/truncation.rs`.
 */
import { InputError } from '@camada/tensor';

/** Which text gives up tokens: the longer one, the first, the second. */
export type TruncationStrategy = 'longest_first' | 'only_first' | 'only_second';

/**
 * Tokens kept of a text of `first` and, for a pair, a text of `second` tokens, so that together they have
 * at most `room`. Throws `InputError` when the strategy's text is too short to give up enough.
 */
export function keptLengths(
  first: number,
  second: number | undefined,
  room: number,
  strategy: TruncationStrategy,
): readonly [number, number] {
  const other = second ?? 0;
  const excess = first + other - room;
  if (excess <= 0) return [first, other];
  if (strategy === 'longest_first') return longestFirst(first, other, room);
  const [target, name] = strategy === 'only_first' ? [first, 'first'] : [other, 'second'];
  if (target < excess) {
    throw new InputError(
      `Truncation ${strategy}: the ${name} text has ${target} tokens, but ${excess} must go; ` +
        'use longest_first or a larger maxLength.',
    );
  }
  return strategy === 'only_first' ? [first - excess, other] : [first, other - excess];
}

/** The longer text is cut to the length of the shorter; then both are halved, the longer keeping the odd one. */
function longestFirst(first: number, second: number, room: number): readonly [number, number] {
  const short = Math.min(first, second);
  const long = Math.max(short, room - short);
  const half = Math.floor(room / 2);
  const [a, b] = short + long > room ? [half, room - half] : [short, long];
  return first > second ? [b, a] : [a, b];
}
