/** @file From importances to the layers that are fine-tuned. */
import { InputError } from '@camada/tensor';
import type { ImportanceReport, LayerImportance } from './importance.ts';

/** A limit on what training the chosen layers costs. */
export interface Budget {
  /** What it may cost at most, in the unit of `cost`. */
  readonly limit: number;
  /** What training these layers costs: parameters, bytes, seconds. Must not fall when a layer is added. */
  readonly cost: (layers: readonly number[]) => number | Promise<number>;
  /** How errors write a cost. @defaultValue plain numbers */
  readonly show?: (cost: number) => string;
}

/** Which layers to keep: one of the following; half of them when left out. */
export interface SelectOptions {
  /**
   * In (0, 1]: this share of all layers, rounded down: ⌊keep·L⌋. A whole number from 2 up: so many layers.
   * @defaultValue 0.5
   */
  readonly keep?: number;
  /** So many layers; instead of `keep`, and the only way to ask for one. */
  readonly count?: number;
  /** All layers whose importance is above this. */
  readonly threshold?: number;
}

/** What selection looks at. */
export type Ranked = Pick<ImportanceReport, 'layers' | 'protocol'>;

/**
 * Layer numbers, the most important first. Equal importances keep the order of depth (as the published code's stable
 * sort does). Layers that could not be measured come last, except in the published protocol, which ranks them first.
 */
export function rankLayers({ layers, protocol }: Ranked): number[] {
  const last = (layer: LayerImportance): number =>
    protocol === 'camada' && layer.excluded !== undefined ? 1 : 0;
  const order = [...layers].sort(
    (a, b) => last(a) - last(b) || b.importance - a.importance || a.index - b.index,
  );
  return order.map((layer) => layer.index);
}

/**
 * The chosen layers, ascending. The published protocol drops the first of an encoder's ranking (`sorted[1 : N + 1]`):
 * its first layer, whose CLS input is constant. Throws InputError when the number is not between 1 and L, when no
 * layer could be measured or is above the threshold, or when more than one rule is given.
 */
export function selectLayers(ranked: Ranked, options: SelectOptions = {}): number[] {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  if (given.length > 1)
    throw new InputError(
      `select: ${given.map(([name]) => name).join(' and ')} exclude each other; give one`,
    );
  const order = candidates(ranked);
  const { threshold } = options;
  const chosen =
    threshold === undefined
      ? order.slice(0, countOf(ranked.layers.length, options))
      : aboveThreshold(order, ranked, threshold);
  return chosen.sort((a, b) => a - b);
}

/** Layers that may be chosen, the best first. */
function candidates(ranked: Ranked): number[] {
  checkMeasured(ranked);
  return rankLayers(ranked).slice(ranked.protocol === 'paper-encoder' ? 1 : 0);
}

function checkMeasured({ layers }: Ranked): void {
  if (layers.some((layer) => layer.excluded === undefined)) return;
  throw new InputError(
    `select: no layer could be measured; layer 0: ${layers[0]?.excluded ?? 'the model has no layers'}`,
  );
}

function aboveThreshold(order: readonly number[], { layers }: Ranked, threshold: number): number[] {
  const values = new Map(layers.map((layer) => [layer.index, layer]));
  const measured = order.filter((index) => values.get(index)?.excluded === undefined);
  const importance = (index: number): number => values.get(index)!.importance;
  const above = measured.filter((index) => importance(index) > threshold);
  if (above.length > 0) return above;
  throw new InputError(
    `select: no layer is above the threshold ${threshold}; the largest is layer ${measured[0]} with ` +
      `${importance(measured[0]!).toPrecision(3)}`,
  );
}

/**
 * The most important layers that a budget allows, ascending, passing over those that do not fit. Throws InputError when no
 * layer could be measured or not one fits.
 */
export async function selectWithin(
  ranked: Ranked,
  { limit, cost, show = String }: Budget,
): Promise<number[]> {
  let kept: number[] = [];
  let cheapest = Infinity;
  for (const layer of candidates(ranked)) {
    const wider = [...kept, layer].sort((a, b) => a - b);
    const price = await cost(wider);
    if (price <= limit) kept = wider;
    cheapest = Math.min(cheapest, price);
  }
  if (kept.length > 0) return kept;
  throw new InputError(
    `select: the budget of ${show(limit)} does not allow a single layer; the cheapest costs ${show(cheapest)}`,
  );
}

/**
 * A rank for each chosen layer in proportion to its importance, at least 1, together what `rank` for each would be: the
 * same number of parameters. (Ogawa et al. 2026 found that it does not help; it is here to be compared.) Layers without
 * importance share alike. Throws InputError unless `rank` is a whole number from 1 up.
 */
export function allotRanks(
  { layers }: Ranked,
  selected: readonly number[],
  rank: number,
): Map<number, number> {
  if (!Number.isInteger(rank) || rank < 1)
    throw new InputError(`select: the rank ${rank} is not a whole number from 1 up`);
  const weights = selected.map((index) =>
    Math.max(0, layers.find((layer) => layer.index === index)?.importance ?? 0),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const spare = (rank - 1) * selected.length;
  const shares = weights.map((weight) =>
    total > 0 ? (spare * weight) / total : spare / selected.length,
  );
  return new Map(selected.map((index, i) => [index, 1 + largestRemainders(shares)[i]!]));
}

/** Whole numbers next to `shares` with their sum: the largest fractions are rounded up. */
function largestRemainders(shares: readonly number[]): number[] {
  const floors = shares.map((share) => Math.floor(share + 1e-9));
  const sum = Math.round(shares.reduce((total, share) => total + share, 0));
  const left = sum - floors.reduce((total, floor) => total + floor, 0);
  const byFraction = [...shares.keys()].sort(
    (a, b) => shares[b]! - floors[b]! - (shares[a]! - floors[a]!) || a - b,
  );
  byFraction.slice(0, left).forEach((i) => floors[i]!++);
  return floors;
}

/** The number of layers that is meant. A thousandth of a layer is forgiven, so that 0.29 of 100 is 29. */
function countOf(layers: number, { keep = 0.5, count }: SelectOptions): number {
  if (count !== undefined) return checked(count, layers, `count ${count}`);
  if (keep > 1) return checked(keep, layers, `keep ${keep}`);
  if (!(keep > 0))
    throw new InputError(
      `select: keep ${keep} is neither a share in (0, 1] nor a number of layers`,
    );
  return checked(Math.floor(keep * layers + 1e-3), layers, `keep ${keep} of ${layers} layers`);
}

function checked(count: number, layers: number, given: string): number {
  if (Number.isInteger(count) && count >= 1 && count <= layers) return count;
  throw new InputError(
    `select: ${given} is ${Number.isInteger(count) ? count : 'no whole number of'} layers; ` +
      `choose 1 to ${layers}, or a share of at least ${(1 / layers).toFixed(2)}`,
  );
}
