/** @file From importances to the layers that are fine-tuned. */
import { InputError } from '@camada/tensor';
import type { ImportanceReport, LayerImportance } from './importance.ts';

/** How many layers to keep. */
export interface SelectOptions {
  /**
   * In (0, 1]: this share of all layers, rounded down: ⌊keep·L⌋. A whole number from 2 up: so many layers.
   * @defaultValue 0.5
   */
  readonly keep?: number;
  /** So many layers; instead of `keep`, and the only way to ask for one. */
  readonly count?: number;
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
 * The chosen layers, ascending: the N most important. The published protocol drops the first of an encoder's ranking
 * (`sorted[1 : N + 1]`): its first layer, whose CLS input is constant. Throws InputError when the number is not
 * between 1 and L, or when no layer could be measured.
 */
export function selectLayers(ranked: Ranked, options: SelectOptions = {}): number[] {
  const { layers, protocol } = ranked;
  const count = countOf(layers.length, options);
  const measured = layers.filter((layer) => layer.excluded === undefined);
  if (measured.length === 0)
    throw new InputError(
      `select: no layer could be measured; layer 0: ${layers[0]?.excluded ?? 'the model has no layers'}`,
    );
  const order = rankLayers(ranked);
  const chosen = protocol === 'paper-encoder' ? order.slice(1, count + 1) : order.slice(0, count);
  return chosen.sort((a, b) => a - b);
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
