/**
 * @file LISA: a few layers train in full at a time, drawn anew every so many steps; the embeddings and the head always do
 * (Pan et al. 2024, https://arxiv.org/abs/2403.17919, algorithm 1).
 */
import { parameterKey, Random } from '@camada/nn';
import { InputError } from '@camada/tensor';

/** What is drawn. */
export interface LisaOptions {
  /** Numbers of the layers to draw from. */
  readonly layers: readonly number[];
  /** γ, how many train at a time; 2. */
  readonly active?: number;
  /** K, steps until the next draw; 20. */
  readonly every?: number;
  readonly seed?: number;
}

/** The layers that train in a step, ascending; the same for the same seed. */
export type LisaSchedule = (step: number) => readonly number[];

/** Draws without replacement, a stream of its own for each interval. Throws InputError on numbers that cannot be. */
export function lisaSchedule(options: LisaOptions): LisaSchedule {
  const { layers, active = 2, every = 20, seed = 0 } = options;
  for (const [name, value] of Object.entries({ active, every }))
    if (!(Number.isSafeInteger(value) && value >= 1))
      throw new InputError(`LISA: ${name} is ${value}, but must be a whole number from 1`);
  if (layers.length === 0) throw new InputError('LISA: there are no layers to draw from');
  return (step) => drawn(layers, active, parameterKey(seed, `lisa.${Math.floor(step / every)}`));
}

function drawn(
  layers: readonly number[],
  count: number,
  key: ConstructorParameters<typeof Random>[0],
): readonly number[] {
  const random = new Random(key);
  const left = [...layers];
  const chosen: number[] = [];
  while (chosen.length < count && left.length > 0)
    chosen.push(...left.splice(Math.floor(random.uniform() * left.length), 1));
  return chosen.sort((a, b) => a - b);
}
