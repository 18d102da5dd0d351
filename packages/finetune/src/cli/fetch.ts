/** @file `camada fetch`. */
import { fetchModel } from '@camada/hub';
import { command, type Command } from './command.ts';
import { fetching } from './load.ts';
import type { OptionTable } from './options.ts';

const OPTIONS = {
  model: {
    type: 'text',
    value: 'ORG/NAME',
    help: 'Model on the hub, with @REVISION or /FILE.gguf; the option may be left out before it.',
    required: true,
  },
} as const satisfies OptionTable;

const named: Command = command({
  name: 'fetch',
  summary: 'Download a model from the Hugging Face Hub into the cache that all its tools share.',
  options: OPTIONS,
  examples: [
    'camada fetch sentence-transformers/all-MiniLM-L6-v2',
    'camada fetch HuggingFaceTB/SmolLM2-135M-Instruct@main',
    'HF_HOME=/models camada fetch org/private-model',
  ],
  async run({ model }, screen) {
    const folder = await fetchModel(model, fetching(screen));
    const files = await folder.list();
    screen.result(`${folder.name} is in ${folder.path} (${files.join(', ')})`);
    return { model: folder.name, path: folder.path, files };
  },
});

/** Downloads a model; its name may stand alone. */
export const fetchCommand: Command = {
  ...named,
  start: ([first, ...rest], screen) =>
    first !== undefined && !first.startsWith('-')
      ? named.start(['--model', first, ...rest], screen)
      : named.start(first === undefined ? rest : [first, ...rest], screen),
};
