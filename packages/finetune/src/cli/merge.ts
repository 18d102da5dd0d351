/** @file `camada merge`. */
import { loadModel } from '../model/load.ts';
import { merge } from '../run/merge.ts';
import { checkOutput, saveFiles } from '../save/folder.ts';
import { command, type Command } from './command.ts';
import { currentDevice } from './device.ts';
import type { OptionTable } from './options.ts';

const OPTIONS = {
  model: {
    type: 'text',
    value: 'DIR',
    help: 'Folder of the model that the adapter was trained on.',
    required: true,
  },
  adapter: { type: 'text', value: 'DIR', help: 'Adapter folder.', required: true },
  output: { type: 'text', value: 'DIR', help: 'Folder for the merged model.', required: true },
} as const satisfies OptionTable;

/** Writes a model with the adapter's weights added to its own. */
export const mergeCommand: Command = command({
  name: 'merge',
  summary: 'Add an adapter to its model and save the result as a plain Hugging Face folder.',
  options: OPTIONS,
  examples: ['camada merge --model ./all-MiniLM-L6-v2 --adapter ./adapter --output ./merged'],
  async run({ model, adapter, output }, screen) {
    await checkOutput(output);
    const loaded = await loadModel(model, { adapter });
    await currentDevice();
    const files = await merge(loaded);
    await saveFiles(output, files);
    screen.result(`Merged into ${output} (${[...files.keys()].join(', ')})`);
    return { output, files: [...files.keys()] };
  },
});
