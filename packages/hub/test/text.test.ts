/**
 * @file Text to ids as the Python libraries do it: a tokenizer of every type, pairs, truncation, chat templates. Goldens by
 * `tools/oracle/files.py`, from `tokenizers` and Transformers.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  createTokenizer,
  type ChatMessage,
  type JsonRecord,
  type TruncationStrategy,
} from '@camada/hub';
import { expectInputError } from './support.ts';

const GOLDEN = new URL('golden/tokenizers/', import.meta.url).pathname;
const read = (name: string): JsonRecord =>
  JSON.parse(readFileSync(`${GOLDEN}${name}.json`, 'utf8')) as JsonRecord;

interface Encoded {
  readonly text: string;
  readonly ids: number[];
  readonly typeIds: number[];
  readonly decoded: string;
}

interface Truncated {
  readonly strategy: TruncationStrategy;
  readonly side: 'left' | 'right';
  readonly length: number;
  readonly texts: [string, string];
  readonly ids: number[] | null;
}

interface Golden {
  readonly single: Encoded[];
  readonly pairs: Encoded[];
  readonly truncated: Truncated[];
}

describe.each([
  'bpe-byte-level',
  'bpe-byte-fallback',
  'unigram',
  'wordpiece',
  'wordlevel',
  'wordlevel-signs',
])('%s', (name) => {
  const tokenizer = createTokenizer({ tokenizer: read(name) });
  const { single, pairs, truncated } = read(`${name}.golden`) as unknown as Golden;

  test('texts', () => {
    for (const { text, ids, typeIds, decoded } of single) {
      const got = tokenizer.encode(text);
      expect([text, got.ids, got.typeIds]).toEqual([text, ids, typeIds]);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(decoded);
    }
  });

  test('pairs', () => {
    const first = single[0]!.text;
    for (const [i, { ids, typeIds }] of pairs.entries()) {
      const { text } = single[i]!;
      const got = tokenizer.encode(first, text);
      expect([text, got.ids, got.typeIds]).toEqual([text, ids, typeIds]);
    }
  });

  test('pairs cut to length by every strategy, on both sides', async () => {
    for (const { strategy, side, length, texts, ids } of truncated) {
      const cut = () =>
        tokenizer.encode(...texts, {
          maxLength: length,
          truncation: strategy,
          truncationSide: side,
        });
      if (ids) expect([strategy, side, cut().ids]).toEqual([strategy, side, ids]);
      else
        await expectInputError(cut, new RegExp(`Truncation ${strategy}: the (first|second) text`));
    }
  });
});

describe('chat templates', () => {
  const { templates, cases } = read('chat.golden') as unknown as {
    templates: Record<string, string>;
    cases: {
      template: string;
      messages: ChatMessage[];
      addGenerationPrompt: boolean;
      tools: JsonRecord[] | null;
      text: string | null;
    }[];
  };
  const withTemplate = (chat_template: unknown) =>
    createTokenizer({
      tokenizer: read('wordlevel'),
      config: { bos_token: '<s>', eos_token: { content: '</s>' }, chat_template },
    });

  test.each(Object.keys(templates))('%s renders as in Transformers', async (name) => {
    const tokenizer = withTemplate(templates[name]);
    expect(tokenizer.chatTemplate).toBe(templates[name]);
    const own = cases.filter(({ template }) => template === name);
    expect(own).toHaveLength(8);
    for (const { messages, addGenerationPrompt, tools, text } of own) {
      const render = () =>
        tokenizer.chat(messages, { addGenerationPrompt, ...(tools && { tools }) });
      if (text === null) await expectInputError(render, /the chat template cannot be used: /);
      else expect(render()).toBe(text);
    }
  });

  test('several have names; none is an error that says so', async () => {
    const several = withTemplate([
      { name: 'default', template: 'D{{ messages[0].content }}' },
      { name: 'tool_use', template: 'T{{ tools | length }}' },
    ]);
    const messages = [{ role: 'user', content: 'x' }];
    expect(several.chat(messages)).toBe('Dx');
    expect(several.chat(messages, { tools: [{}] })).toBe('T1');
    expect(several.chat(messages, { template: 'tool_use', variables: { tools: [1, 2] } })).toBe(
      'T2',
    );
    await expectInputError(
      () => several.chat(messages, { template: 'rag' }),
      /has no chat template "rag" \(it has default, tool_use\)/,
    );
    await expectInputError(() => withTemplate(undefined).chat(messages), /\(it has none\)/);
    await expectInputError(() => withTemplate('{% if %}').chat(messages), /cannot be used/);
    await expectInputError(() => withTemplate(7), /"chat_template" must be a text or a list/);
  });
});
