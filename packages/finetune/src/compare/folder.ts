/** @file A comparison's folder: results as they come, and at the end its table, its numbers and its pictures (Node). */
import { InputError } from '@camada/tensor';
import { jsonBytes, writeFiles } from '@camada/hub';
import type { LoadedModel } from '../model/load.ts';
import { compare, type CompareOptions } from './compare.ts';
import type { Recipe } from './recipe.ts';
import type { ComparisonSummary } from './summary.ts';
import { comparisonMarkdown } from './table.ts';

/**
 * Compares, and writes `results.jsonl`, `comparison.md`, `comparison.json` and pictures into a folder. A comparison that
 * was interrupted, or whose recipe has got more methods, selectors or seeds, goes on from its results. Throws InputError
 * as `compare` does.
 */
export async function compareInto(
  directory: string,
  loaded: LoadedModel,
  recipe: Recipe,
  options: Omit<CompareOptions, 'results'> = {},
): Promise<ComparisonSummary> {
  const summary = await compare(loaded, recipe, {
    ...options,
    results: `${directory}/results.jsonl`,
  });
  const { comparisonPictures } = await import('./pictures.ts');
  const text = (content: string): Uint8Array[] => [new TextEncoder().encode(content)];
  const files = new Map([
    ['comparison.md', text(comparisonMarkdown(summary))],
    ['comparison.json', [jsonBytes(summary)]],
    ...[...comparisonPictures(summary)].map(([name, svg]) => [name, text(svg)] as const),
  ]);
  await writeFiles([...files].map(([name, chunks]) => ({ path: `${directory}/${name}`, chunks })));
  return summary;
}

/** What a recipe file says: the model, the folder for what comes out, and the comparison. */
export interface RecipeFile {
  readonly model: string;
  readonly output: string;
  readonly recipe: Recipe;
}

const DATA_FIELDS = ['train', 'test', 'text', 'textPair', 'label', 'header'] as const;

const FIELDS: readonly string[] = [
  'model',
  'output',
  'data',
  'task',
  'retention',
  'methods',
  'selectors',
  'chosen',
  'budget',
  'seeds',
  'samples',
  'stability',
  'stabilityOf',
  'training',
];

/**
 * Reads a recipe, YAML or JSON; its paths are taken from where it lies. Throws InputError on fields that there are not, and
 * where model or data are missing.
 */
export async function readRecipe(path: string): Promise<RecipeFile> {
  const [fs, paths] = [await import('node:fs/promises'), await import('node:path')];
  const values = await parsed(path, () => fs.readFile(path, 'utf8'));
  checkFields(path, 'the recipe', values, FIELDS);
  const at = (file: unknown): string => paths.resolve(paths.dirname(path), String(file));
  const { model, output, ...rest } = values;
  if (typeof model !== 'string' || !isRecord(rest['data']))
    throw new InputError(`${path}: a recipe names a model, and data with train, text and label.`);
  const located = (field: string): object => {
    const data = rest[field];
    if (!isRecord(data)) throw new InputError(`${path}: ${field} must be a list of fields.`);
    checkFields(path, field, data, DATA_FIELDS);
    if (data['train'] === undefined) throw new InputError(`${path}: ${field} has no train.`);
    const test = data['test'] === undefined ? {} : { test: at(data['test']) };
    return { ...data, train: at(data['train']), ...test };
  };
  // `checkRecipe` and `settingsOf` check what the fields hold.
  const recipe = {
    ...rest,
    data: located('data'),
    ...(rest['retention'] !== undefined && { retention: located('retention') }),
  } as unknown as Recipe;
  const here = /^\.\.?([/\\]|$)/.test(model);
  return { model: here ? at(model) : model, output: at(output ?? 'comparison'), recipe };
}

async function parsed(
  path: string,
  read: () => Promise<string>,
): Promise<Readonly<Record<string, unknown>>> {
  const { parse } = await import('yaml');
  try {
    const value: unknown = parse(await read());
    if (isRecord(value)) return value;
  } catch (error) {
    throw new InputError(`${path} cannot be read as YAML: ${String(error)}`, { cause: error });
  }
  throw new InputError(`${path} is no recipe: it must be a list of fields, such as "model: …".`);
}

function checkFields(
  path: string,
  what: string,
  values: Readonly<Record<string, unknown>>,
  known: readonly string[],
): void {
  const wrong = Object.keys(values).find((name) => !known.includes(name));
  if (wrong === undefined) return;
  throw new InputError(`${path}: ${what} has no field "${wrong}"; fields are ${known.join(', ')}.`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
