/** @file Learning-rate schedules, with the names and values of Transformers. */
import { InputError } from '@camada/tensor';

/** Names of `lr_scheduler_type`. */
export type ScheduleName = 'constant' | 'constant_with_warmup' | 'linear' | 'cosine';

/** Length of a run in optimizer steps. */
export interface ScheduleOptions {
  /** Steps in which the factor rises from 0 to 1; 0 when left out. */
  readonly warmupSteps?: number;
  /** All steps of the run. */
  readonly totalSteps: number;
}

/** Factor on the learning rate for step 0, 1, … */
export type Schedule = (step: number) => number;

/** Names that `schedule` takes. */
export const SCHEDULES: readonly ScheduleName[] = [
  'constant',
  'constant_with_warmup',
  'linear',
  'cosine',
];

/**
 * The factor by step. `linear` falls to 0 at the end, `cosine` follows half a cosine to 0 (Loshchilov and Hutter
 * 2017, https://arxiv.org/abs/1608.03983); `constant` ignores the warm-up, as in Transformers. Throws
 * InputError on an unknown name or a negative length.
 */
export function schedule(name: ScheduleName, options: ScheduleOptions): Schedule {
  const { warmupSteps = 0, totalSteps } = options;
  if (!(warmupSteps >= 0 && totalSteps >= 0))
    throw new InputError(`schedule: ${warmupSteps} warm-up steps of ${totalSteps} cannot be`);
  if (!SCHEDULES.includes(name))
    throw new InputError(
      `schedule '${String(name)}' is unknown; known are ${SCHEDULES.join(', ')}`,
    );
  if (name === 'constant') return () => 1;
  return (step) => {
    if (step < warmupSteps) return step / Math.max(1, warmupSteps);
    if (name === 'constant_with_warmup') return 1;
    const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
    return name === 'linear' ? Math.max(0, 1 - progress) : halfCosine(Math.min(1, progress));
  };
}

function halfCosine(progress: number): number {
  return 0.5 * (1 + Math.cos(Math.PI * progress));
}
