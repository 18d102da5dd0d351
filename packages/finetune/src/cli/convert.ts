/** @file `camada convert`. */
import { InputError } from '@camada/tensor';
import {
  exportModel,
  llama2cToFolder,
  locateModel,
  openModelFolder,
  storedWeights,
} from '@camada/hub';
import { adapterFiles, mlxFiles, openAdapter } from '@camada/lora';
import { checkOutput, saveFiles, type Files } from '../save/folder.ts';
import { command, type Command } from './command.ts';
import { fetching, MODEL_HELP } from './load.ts';
import type { OptionTable, Values } from './options.ts';
import type { Screen } from './screen.ts';
import { SAVE_OPTIONS, saveOptions } from './shared.ts';

const OPTIONS = {
  model: { type: 'text', value: 'MODEL', help: MODEL_HELP },
  checkpoint: {
    type: 'text',
    value: 'FILE',
    help: 'Instead of a model: a llama2.c checkpoint, such as stories260K.bin.',
  },
  tokenizer: {
    type: 'text',
    value: 'FILE',
    help: 'The tokenizer of the llama2.c checkpoint, such as tok512.bin.',
  },
  adapter: {
    type: 'text',
    value: 'DIR',
    help: 'Instead of a model: an adapter folder, of PEFT or mlx-lm.',
  },
  to: {
    type: 'text',
    value: 'NAME',
    help: 'Whose adapter folder is written; peft.',
    choices: ['peft', 'mlx-lm'],
  },
  output: { type: 'text', value: 'DIR', help: 'Folder for what is converted.', required: true },
  ...SAVE_OPTIONS,
} as const satisfies OptionTable;

/** Writes a model in another format. */
export const convertCommand: Command = command({
  name: 'convert',
  summary:
    'Write a model as safetensors or GGUF (from these, PyTorch, llama2.c), or an adapter for mlx-lm.',
  options: OPTIONS,
  examples: [
    'camada convert --model ./SmolLM2-135M --format gguf-q8_0 --output ./smollm2-gguf',
    'camada convert --model ./SmolLM2.Q4_1.gguf --format bf16 --output ./smollm2',
    'camada convert --checkpoint stories260K.bin --tokenizer tok512.bin --output ./stories260K',
    'camada convert --adapter ./adapter --to mlx-lm --output ./adapter-mlx',
  ],
  async run(options, screen) {
    const { output } = options;
    await checkOutput(output);
    const files = await converted(options, screen);
    await saveFiles(output, files);
    screen.result(`Converted into ${output} (${[...files.keys()].join(', ')})`);
    return { output, files: [...files.keys()] };
  },
});

async function converted(options: Values<typeof OPTIONS>, screen: Screen): Promise<Files> {
  const { model, checkpoint, tokenizer, adapter, to } = options;
  if (adapter !== undefined && model === undefined && checkpoint === undefined)
    return convertedAdapter(adapter, to, screen);
  if (model === undefined && checkpoint !== undefined && tokenizer !== undefined)
    return llama2cToFolder({ checkpoint, tokenizer });
  if (
    model === undefined ||
    [checkpoint, tokenizer, adapter, to].some((given) => given !== undefined)
  )
    throw new InputError(
      'camada convert needs either --model MODEL, or --checkpoint FILE with --tokenizer FILE, or --adapter DIR.',
    );
  const { config, tensors, folder } = await openModelFolder(
    await locateModel(model, fetching(screen)),
  );
  const weights = storedWeights(tensors);
  return exportModel({ config: config.values, weights, folder }, saveOptions(options));
}

async function convertedAdapter(
  adapter: string,
  to: string | undefined,
  screen: Screen,
): Promise<Files> {
  const data = await openAdapter(await locateModel(adapter, fetching(screen)));
  for (const warning of data.warnings) screen.say(warning);
  return to === 'mlx-lm' ? mlxFiles(data) : adapterFiles(data);
}
