/** @file A prediction as text, and the truth beside it. */
import type { StepReport } from '../train/loop.ts';
import type { Prediction, TrainingCost } from './predict.ts';

/** What training some layers will cost, against all of them. */
export function predictionText({ chosen, all }: Prediction): string {
  const { layers, lowestLayer, headParameters } = chosen;
  const where =
    layers.length === 0
      ? 'the head only'
      : `layers ${layers.join(', ')}; the backward pass ends at layer ${lowestLayer}`;
  const lines = [
    `Expected of ${where}:`,
    `  trained numbers   ${count(chosen.parameters)}${against(chosen, all, (cost) => cost.parameters)}, and ${count(headParameters)} of the head either way`,
    `  work a step       ${gigaflops(chosen.flops)}${against(chosen, all, (cost) => cost.flops)}${cached(chosen)}`,
    `  device memory     ${mebibytes(chosen.peakBytes)}${against(chosen, all, (cost) => cost.peakBytes)}`,
  ];
  const { seconds } = chosen;
  if (seconds === undefined) return lines.join('\n');
  const time = `  time a step       ${milliseconds(seconds)}${against(chosen, all, (cost) => cost.seconds ?? 0)}`;
  return [...lines, time].join('\n');
}

/** What a run turned out to take. */
export interface Truth {
  readonly trainableParameters: number;
  /** Most device memory ever held, with measuring and pooled memory. */
  readonly peakBytes: number;
  readonly history: readonly StepReport[];
}

/** The truth beside the prediction. */
export function truthText({ chosen }: Prediction, truth: Truth): string {
  const seconds = medianStep(truth.history);
  const parts = [
    `${count(truth.trainableParameters)} numbers trained (${count(chosen.parameters + chosen.headParameters)} expected)`,
    `${mebibytes(truth.peakBytes)} at most (${mebibytes(chosen.peakBytes)})`,
  ];
  if (seconds !== undefined && chosen.seconds !== undefined)
    parts.push(`${milliseconds(seconds)} a step (${milliseconds(chosen.seconds)})`);
  return `In fact: ${parts.join(', ')}.`;
}

/** Of the steps after the second, which begin without compiling; undefined where there are too few. */
function medianStep(history: readonly StepReport[]): number | undefined {
  const lengths = history.slice(1).map(({ seconds }, i) => seconds - history[i]!.seconds);
  const sorted = lengths.slice(1).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function against(
  chosen: TrainingCost,
  all: TrainingCost,
  value: (cost: TrainingCost) => number,
): string {
  if (chosen === all || value(all) === 0) return '';
  const share = (100 * value(chosen)) / value(all);
  return ` (${share.toFixed(0)} % of all layers')`;
}

function cached({ flops, cachedFlops }: TrainingCost): string {
  if (cachedFlops === flops) return '';
  return `; ${gigaflops(cachedFlops)} where what lies below is kept from one epoch to the next`;
}

function count(n: number): string {
  return n.toLocaleString('en');
}

function gigaflops(flops: number): string {
  return `${(flops / 1e9).toPrecision(3)} GFLOP`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

function milliseconds(seconds: number): string {
  return `${(1000 * seconds).toFixed(0)} ms`;
}
