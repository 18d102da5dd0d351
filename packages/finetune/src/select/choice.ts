/** @file Which layers are to be trained: how users say it, and what it means for a model of L layers. */
import { InputError } from '@camada/tensor';
import { seedKey, Random } from '@camada/nn';
import { selectLayers, type ImportanceReport } from '@camada/cka';

/** A choice of layers. Numbers of layers count from 0, from the embeddings up. */
export type LayerChoice =
  | { readonly select: 'all' }
  /** The most important ones on the task's data: a share in (0, 1], or a whole number from 2 up. */
  | { readonly select: 'cka'; readonly keep?: number }
  /** So many layers from the one or the other end. */
  | { readonly select: 'first' | 'last'; readonly count: number }
  /** So many layers by lot. */
  | { readonly select: 'random'; readonly count: number; readonly seed?: number }
  | { readonly select: 'list'; readonly layers: readonly number[] };

/** A choice, its text as on the command line (`cka:0.5`), or layer numbers. */
export type LayersOption = LayerChoice | string | readonly number[];

const FORMS = 'all, cka:0.5, last:3, first:3, random:3:SEED or numbers such as 0,2,5';

/** Reads a choice. Throws InputError listing the forms there are. */
export function layerChoice(option: LayersOption): LayerChoice {
  if (typeof option === 'string') return parseChoice(option);
  if ('select' in option) return option;
  return { select: 'list', layers: option };
}

function parseChoice(text: string): LayerChoice {
  const [word = '', first, second, ...rest] = text.trim().split(':');
  const count = Number(first);
  if (rest.length === 0) {
    if (word === 'all' && first === undefined) return { select: 'all' };
    if (word === 'cka' && second === undefined)
      return first === undefined
        ? { select: 'cka' }
        : { select: 'cka', keep: checked(text, count) };
    if ((word === 'first' || word === 'last') && second === undefined)
      return { select: word, count: checked(text, count) };
    if (word === 'random')
      return {
        select: 'random',
        count: checked(text, count),
        seed: checked(text, Number(second ?? 0)),
      };
    if (/^\d+(,\s*\d+)*$/.test(text))
      return { select: 'list', layers: text.split(',').map(Number) };
  }
  throw new InputError(`layers '${text}' is not understood; write ${FORMS}.`);
}

function checked(text: string, value: number): number {
  if (Number.isFinite(value) && value >= 0) return value;
  throw new InputError(`layers '${text}' lacks its number; write ${FORMS}.`);
}

/**
 * The chosen layers, ascending. Throws InputError when a number is not between 0 and `layers` − 1, or the choice
 * is of more layers than there are.
 * @param importance measured before; needed by `cka` only.
 */
export function chosenLayers(
  choice: LayerChoice,
  layers: number,
  importance: ImportanceReport | undefined,
): number[] {
  const all = Array.from({ length: layers }, (_, i) => i);
  if (choice.select === 'all') return all;
  if (choice.select === 'list') return listed(choice.layers, layers);
  if (choice.select === 'cka') {
    if (importance)
      return selectLayers(importance, choice.keep === undefined ? {} : { keep: choice.keep });
    throw new InputError('layers cka needs a measurement; let samples be above 0.');
  }
  const count = checkedCount(choice.count, layers, choice.select);
  if (choice.select === 'random') return byLot(all, count, choice.seed ?? 0);
  return choice.select === 'first' ? all.slice(0, count) : all.slice(layers - count);
}

function listed(numbers: readonly number[], layers: number): number[] {
  const wrong = numbers.find((i) => !(Number.isInteger(i) && i >= 0 && i < layers));
  if (wrong !== undefined || numbers.length === 0)
    throw new InputError(
      `layers ${numbers.join(',')}: ${wrong === undefined ? 'none is named' : `there is no layer ${wrong}`}; ` +
        `the model has the layers 0 to ${layers - 1}.`,
    );
  return [...new Set(numbers)].sort((a, b) => a - b);
}

function checkedCount(count: number, layers: number, word: string): number {
  if (Number.isInteger(count) && count >= 1 && count <= layers) return count;
  throw new InputError(`layers ${word}:${count} is not possible; the model has ${layers} layers.`);
}

function byLot(all: readonly number[], count: number, seed: number): number[] {
  const random = new Random(seedKey(seed));
  const keyed = all.map((layer) => ({ layer, lot: random.uniform() }));
  const drawn = keyed.sort((a, b) => a.lot - b.lot).slice(0, count);
  return drawn.map(({ layer }) => layer).sort((a, b) => a - b);
}
