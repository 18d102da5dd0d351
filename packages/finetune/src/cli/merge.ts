/** @file `camada merge`. */
import { merge } from '../run/merge.ts';
import { checkOutput, saveFiles } from '../save/folder.ts';
import { command, type Command } from './command.ts';
import { MODEL_HELP, PRECISION_OPTIONS, openModel } from './load.ts';
import type { OptionTable } from './options.ts';
import { SAVE_OPTIONS, saveOptions } from './shared.ts';

const OPTIONS = {
  model: {
    type: 'text',
    value: 'MODEL',
    help: MODEL_HELP,
    required: true,
  },
  adapter: { type: 'text', value: 'DIR', help: 'Adapter folder.', required: true },
  output: { type: 'text', value: 'DIR', help: 'Folder for the merged model.', required: true },
  ...PRECISION_OPTIONS,
  ...SAVE_OPTIONS,
} as const satisfies OptionTable;

/** Writes a model with the adapter's weights added to its own. */
export const mergeCommand: Command = command({
  name: 'merge',
  summary: 'Add an adapter to its model and save the result as a plain Hugging Face folder.',
  options: OPTIONS,
  examples: [
    'camada merge --model ./all-MiniLM-L6-v2 --adapter ./adapter --output ./merged',
    'camada merge --model ./SmolLM2-135M --adapter ./adapter --format gguf-q8_0 --output ./merged',
  ],
  async run(options, screen) {
    const { output } = options;
    await checkOutput(output);
    const loaded = await openModel(options, screen);
    const files = await merge(loaded, saveOptions(options));
    await saveFiles(output, files);
    screen.result(`Merged into ${output} (${[...files.keys()].join(', ')})`);
    return { output, files: [...files.keys()] };
  },
});
