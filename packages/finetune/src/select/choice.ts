/** @file Which layers are to be trained: how users say it, and what it means for a model of L layers. */
import { InputError } from '@camada/tensor';
import { SELECTORS, isSelector, type SelectorName } from '@camada/cka';

/** A limit on what training costs. */
export interface BudgetChoice {
  readonly of: 'parameters' | 'memory' | 'time';
  /**
   * Up to 1: a share of what training all layers costs. Above: parameters inside the layers, MiB of device memory, or
   * milliseconds a step.
   */
  readonly limit: number;
}

/** The best layers by a selector: one way to say how many, or the selector's own way when left out. */
export interface LayerRule {
  readonly select: SelectorName;
  /** A share in (0, 1], or a whole number from 2 up; 0.5. */
  readonly keep?: number;
  /** So many layers. */
  readonly count?: number;
  /** All layers whose score is above this, or above the selector's usual threshold. */
  readonly threshold?: number | 'usual';
  /** As many of the best as a budget allows. */
  readonly budget?: BudgetChoice;
  /** Of `random`; 0. */
  readonly seed?: number;
}

/** A choice of layers. Numbers of layers count from 0, from the embeddings up. */
export type LayerChoice =
  LayerRule | { readonly select: 'list'; readonly layers: readonly number[] };

/** A choice, its text as on the command line (`cka:0.5`), or layer numbers. */
export type LayersOption = LayerChoice | string | readonly number[];

const FORMS =
  'all, cka:0.5, last:3, first:3, alternate:3, random:3:SEED, numbers such as 0,2,5, or another selector ' +
  `(${Object.keys(SELECTORS).join(', ')}) with a share, a number, a threshold (last-token-cosine:>0.15) or a budget ` +
  '(cka:parameters=50000, cka:memory=0.8, cka:time=0.7)';

/** Reads a choice. Throws InputError listing the forms there are. */
export function layerChoice(option: LayersOption): LayerChoice {
  if (typeof option === 'string') return parseChoice(option.trim());
  if ('select' in option) return option;
  return { select: 'list', layers: option };
}

function parseChoice(text: string): LayerChoice {
  if (/^\d+(,\s*\d+)*$/.test(text)) return { select: 'list', layers: text.split(',').map(Number) };
  const [name = '', amount, seed, ...rest] = text.split(':');
  if (!isSelector(name) || rest.length > 0 || (seed !== undefined && name !== 'random'))
    throw new InputError(`layers '${text}' is not understood; write ${FORMS}.`);
  return {
    select: name,
    ...parseAmount(text, name, amount),
    ...(seed !== undefined && { seed: checkedNumber(text, seed) }),
  };
}

function parseAmount(
  text: string,
  name: SelectorName,
  amount: string | undefined,
): Omit<LayerRule, 'select'> {
  if (name === 'all' && amount === undefined) return {};
  const byPosition = SELECTORS[name].needs === 'nothing';
  if (amount === undefined && !byPosition) return {};
  if (amount === 'threshold') return { threshold: 'usual' };
  if (amount?.startsWith('>')) return { threshold: checkedNumber(text, amount.slice(1)) };
  const [of = '', limit, ...rest] = (amount ?? '').split('=');
  if (limit !== undefined && rest.length === 0 && isBudget(of))
    return { budget: { of, limit: checkedNumber(text, limit) } };
  const value = checkedNumber(text, amount ?? '');
  return byPosition && Number.isInteger(value) ? { count: value } : { keep: value };
}

function isBudget(word: string): word is BudgetChoice['of'] {
  return word === 'parameters' || word === 'memory' || word === 'time';
}

function checkedNumber(text: string, number: string): number {
  const value = Number(number);
  if (number !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new InputError(`layers '${text}' lacks its number; write ${FORMS}.`);
}

/** What must be at hand for a choice: nothing, texts, or texts with labels. */
export function needsOf(choice: LayerChoice): 'nothing' | 'texts' | 'labels' {
  return choice.select === 'list' ? 'nothing' : SELECTORS[choice.select].needs;
}

/** Whether all layers are chosen, whatever they score. */
export function isAll({ select, ...amount }: LayerChoice): boolean {
  return select === 'all' && Object.values(amount).every((value) => value === undefined);
}

/**
 * Checks a choice before anything is measured. Throws InputError when a number is not between 0 and `layers` − 1, or the
 * choice is of more layers than there are.
 */
export function checkChoice(choice: LayerChoice, layers: number): void {
  if (choice.select === 'list') return checkNumbers(choice.layers, layers);
  const { select, count, keep, threshold } = choice;
  if (count !== undefined && !(Number.isInteger(count) && count >= 1 && count <= layers))
    throw new InputError(
      `layers ${select}:${count} is not possible; the model has ${layers} layers.`,
    );
  if (keep !== undefined && keep > layers)
    throw new InputError(
      `layers ${select}:${keep} is not possible; the model has ${layers} layers.`,
    );
  if (threshold === 'usual' && SELECTORS[select].threshold === undefined)
    throw new InputError(
      `layers ${select}:threshold: this selector has no usual threshold; give a number, as in ${select}:>0.1.`,
    );
}

function checkNumbers(numbers: readonly number[], layers: number): void {
  const wrong = numbers.find((i) => !(Number.isInteger(i) && i >= 0 && i < layers));
  if (wrong === undefined && numbers.length > 0) return;
  throw new InputError(
    `layers ${numbers.join(',')}: ${wrong === undefined ? 'none is named' : `there is no layer ${wrong}`}; ` +
      `the model has the layers 0 to ${layers - 1}.`,
  );
}
