/** @file The decoding of the suite: 256 tokens of prompt in one pass, then 32 tokens one by one, each the likeliest. */

/** Ids of the prompt; which ones does not matter to the time. */
export const PROMPT = Array.from({ length: 256 }, (_, i) => 100 + ((i * 37) % 40000));

const TOKENS = 33;

/** Milliseconds to the first token and for each one after it. `generate(count)`: an async iterator of tokens. */
export async function timedTokens(generate) {
  const start = performance.now();
  let first;
  let count = 0;
  for await (const _ of generate(TOKENS)) {
    count++;
    first ??= performance.now() - start;
    if (count === TOKENS) break;
  }
  return { prefill: first, token: (performance.now() - start - first) / (count - 1) };
}
