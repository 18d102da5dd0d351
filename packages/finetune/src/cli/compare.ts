/** @file `camada compare`. */
import { compareInto, readRecipe } from '../compare/folder.ts';
import { comparisonMarkdown } from '../compare/table.ts';
import { loadModel } from '../model/load.ts';
import { command, type Command } from './command.ts';
import type { OptionTable } from './options.ts';

const OPTIONS = {
  recipe: {
    type: 'text',
    value: 'FILE',
    help: 'What is compared (YAML or JSON); its name may stand alone.',
    required: true,
    alone: true,
  },
  output: {
    type: 'text',
    value: 'DIR',
    help: "Folder for results, table and pictures; the recipe's.",
  },
} as const satisfies OptionTable;

/** Compares selectors and methods at one budget. */
export const compareCommand: Command = command({
  name: 'compare',
  summary: 'Hold selectors and methods against one another at one budget, over seeds.',
  options: OPTIONS,
  examples: ['camada compare recipe.yaml', 'camada compare recipe.yaml --output ./comparison'],
  async run(options, screen) {
    const { model, output, recipe } = await readRecipe(options.recipe);
    const directory = options.output ?? output;
    const summary = await compareInto(directory, await loadModel(model), recipe, {
      onNote: (text) => screen.say(text),
      onProgress: (done, total, share) =>
        screen.progress(
          'Runs',
          done,
          total,
          share > 0 ? `${Math.round(100 * share)} % of the next` : '',
        ),
    });
    screen.result(`${comparisonMarkdown(summary)}\nSaved in ${directory}.`);
    return summary;
  },
});
