/** @file Gradients as a graph transform: `grad`, `valueAndGrad`, and `gradcheck` for tests. */
export { grad, stopGradient, valueAndGrad } from './grad.ts';
export type { ValueAndGradients } from './grad.ts';
export { gradcheck } from './gradcheck.ts';
export type { GradcheckOptions, GradcheckResult } from './gradcheck.ts';
