/** @file `camada generate`. */
import { readFile } from 'node:fs/promises';
import { InputError } from '@camada/tensor';
import type { LoadedModel } from '../model/load.ts';
import { generateText, generateTexts, type ContinueOptions } from '../run/generate.ts';
import { command, type Command } from './command.ts';
import { MODEL_HELP, PRECISION_OPTIONS, openModel } from './load.ts';
import type { OptionTable, Values } from './options.ts';
import type { Screen } from './screen.ts';
import { given } from './shared.ts';

const OPTIONS = {
  model: { type: 'text', value: 'MODEL', help: MODEL_HELP, required: true },
  adapter: { type: 'text', value: 'DIR', help: 'Adapter folder to put on the model.' },
  ...PRECISION_OPTIONS,
  prompt: { type: 'text', value: 'TEXT', help: 'The text to continue.' },
  prompts: { type: 'text', value: 'FILE', help: 'Texts to continue together, one a line.' },
  chat: {
    type: 'flag',
    help: "The prompt is the user's turn of a conversation; the model's chat template frames it.",
  },
  system: { type: 'text', value: 'TEXT', help: 'With --chat: what the model is told first.' },
  'max-new-tokens': { type: 'integer', value: 'N', help: 'Most tokens to add; 64.' },
  temperature: { type: 'number', value: 'X', help: '0 takes the likeliest token each time; 0.' },
  'top-k': { type: 'integer', value: 'N', help: 'Draw among the N likeliest tokens only.' },
  'top-p': {
    type: 'number',
    value: 'X',
    help: 'Draw among the likeliest tokens that make up the share X of probability.',
  },
  'min-p': {
    type: 'number',
    value: 'X',
    help: "Draw among tokens with at least the share X of the likeliest one's probability.",
  },
  'repetition-penalty': {
    type: 'number',
    value: 'X',
    help: 'Above 1, tokens that the text has become less likely; 1.',
  },
  stop: {
    type: 'text',
    value: 'TEXT',
    help: 'End before this text; several as a JSON list: \'["\\n\\n", "User:"]\'.',
  },
  seed: { type: 'integer', value: 'N', help: 'Seed of the draws; 0.' },
} as const satisfies OptionTable;

/** Continues a text. */
export const generateCommand: Command = command({
  name: 'generate',
  summary: 'Continue a text with a causal language model.',
  options: OPTIONS,
  examples: [
    'camada generate --model ./stories260K --prompt "Once upon a time" --max-new-tokens 60',
    'camada generate --model ./stories260K --adapter ./adapter --prompt "ROMEO:" --temperature 0.8 --top-p 0.95 --seed 7',
    'camada generate --model ./stories260K --prompts prompts.txt --json',
    'camada generate --model ./SmolLM2-135M-Instruct.Q4_1.gguf --chat --prompt "What is the capital of France?"',
  ],
  async run(options, screen) {
    const { prompt, prompts } = options;
    if ((prompt === undefined) === (prompts === undefined))
      throw new InputError('camada generate needs either --prompt TEXT or --prompts FILE.');
    if (options.system !== undefined && !options.chat)
      throw new InputError('--system is the first turn of a conversation; give --chat too.');
    const loaded = await openModel(options, screen);
    const choices = continueOptions(options);
    return prompt === undefined
      ? several(loaded, await lines(prompts!), choices, screen)
      : one(loaded, prompt, choices, screen);
  },
});

/** Prints the text as it comes. */
async function one(
  loaded: LoadedModel,
  prompt: string,
  choices: ContinueOptions,
  screen: Screen,
): Promise<unknown> {
  const before = choices.chat ? '' : prompt;
  let shown = 0;
  const generated = await generateText(loaded, {
    ...choices,
    prompt,
    onText: (text) => {
      // The line begins when the weights are loaded, whose progress would be drawn over it.
      screen.piece((shown === 0 ? before : '') + text.slice(shown));
      shown = text.length;
    },
  });
  screen.result(shown === 0 ? before : '');
  const { text, tokens } = generated;
  return { text, tokens };
}

async function several(
  loaded: LoadedModel,
  prompts: readonly string[],
  choices: ContinueOptions,
  screen: Screen,
): Promise<unknown> {
  const texts = await generateTexts(loaded, { ...choices, prompts });
  for (const [i, { text }] of texts.entries())
    screen.result(choices.chat ? text : prompts[i]! + text);
  return { texts };
}

function continueOptions(options: Values<typeof OPTIONS>): ContinueOptions {
  return {
    maxNewTokens: options['max-new-tokens'] ?? 64,
    ...given({
      temperature: options.temperature,
      topK: options['top-k'],
      topP: options['top-p'],
      minP: options['min-p'],
      repetitionPenalty: options['repetition-penalty'],
      seed: options.seed,
      stop: options.stop === undefined ? undefined : stopStrings(options.stop),
      chat: options.chat ? given({ system: options.system }) : undefined,
    }),
  };
}

/** One text, or a JSON list of them. */
function stopStrings(text: string): readonly string[] {
  if (!text.startsWith('[')) return [text];
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every((item) => typeof item === 'string')) return list;
  } catch {
    // It is a text that begins with a bracket, after all.
  }
  return [text];
}

async function lines(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new InputError(`--prompts ${file} cannot be read: ${String(cause)}`);
  });
  const found = text.split(/\r?\n/).filter((line) => line !== '');
  if (found.length > 0) return found;
  throw new InputError(`--prompts ${file} has no lines.`);
}
