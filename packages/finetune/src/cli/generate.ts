/** @file `camada generate`. */
import { loadModel } from '../model/load.ts';
import { generateText } from '../run/generate.ts';
import { command, type Command } from './command.ts';
import { currentDevice } from './device.ts';
import type { OptionTable } from './options.ts';
import { given } from './shared.ts';

const OPTIONS = {
  model: { type: 'text', value: 'DIR', help: 'Folder of a causal language model.', required: true },
  adapter: { type: 'text', value: 'DIR', help: 'Adapter folder to put on the model.' },
  prompt: { type: 'text', value: 'TEXT', help: 'The text to continue.', required: true },
  'max-new-tokens': { type: 'integer', value: 'N', help: 'Most tokens to add; 64.' },
  temperature: { type: 'number', value: 'X', help: '0 takes the likeliest token each time; 0.' },
  'top-k': { type: 'integer', value: 'N', help: 'Draw among the N likeliest tokens only.' },
  seed: { type: 'integer', value: 'N', help: 'Seed of the draws; 0.' },
} as const satisfies OptionTable;

/** Continues a text. */
export const generateCommand: Command = command({
  name: 'generate',
  summary: 'Continue a text with a causal language model.',
  options: OPTIONS,
  examples: [
    'camada generate --model ./stories260K --prompt "Once upon a time" --max-new-tokens 60',
    'camada generate --model ./stories260K --adapter ./adapter --prompt "ROMEO:" --temperature 0.8 --seed 7 --json',
  ],
  async run(options, screen) {
    const { adapter, prompt } = options;
    const loaded = await loadModel(options.model, adapter === undefined ? {} : { adapter });
    await currentDevice();
    const generated = await generateText(loaded, {
      prompt,
      maxNewTokens: options['max-new-tokens'] ?? 64,
      ...given({ temperature: options.temperature, topK: options['top-k'], seed: options.seed }),
    });
    screen.result(prompt + generated.text);
    return generated;
  },
});
