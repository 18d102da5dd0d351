/** @file `camada convert`. */
import { llama2cToFolder } from '@camada/hub';
import { checkOutput, saveFiles } from '../save/folder.ts';
import { command, type Command } from './command.ts';
import type { OptionTable } from './options.ts';

const OPTIONS = {
  checkpoint: {
    type: 'text',
    value: 'FILE',
    help: 'A llama2.c checkpoint, such as stories260K.bin.',
    required: true,
  },
  tokenizer: {
    type: 'text',
    value: 'FILE',
    help: 'Its tokenizer, such as tok512.bin.',
    required: true,
  },
  output: { type: 'text', value: 'DIR', help: 'Folder for the converted model.', required: true },
} as const satisfies OptionTable;

/** Makes a Hugging Face folder from a llama2.c checkpoint. */
export const convertCommand: Command = command({
  name: 'convert',
  summary: 'Turn a llama2.c checkpoint into a Hugging Face folder.',
  options: OPTIONS,
  examples: [
    'camada convert --checkpoint stories260K.bin --tokenizer tok512.bin --output ./stories260K',
  ],
  async run({ checkpoint, tokenizer, output }, screen) {
    await checkOutput(output);
    const files = await llama2cToFolder({ checkpoint, tokenizer });
    await saveFiles(output, files);
    screen.result(`Converted into ${output} (${[...files.keys()].join(', ')})`);
    return { output, files: [...files.keys()] };
  },
});
