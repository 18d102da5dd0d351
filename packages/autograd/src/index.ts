/** @file Gradients as a graph transform: `grad`, products with Jacobians, checkpoints, and `gradcheck` for tests. */
export { grad, stopGradient, valueAndGrad } from './grad.ts';
export type { GradOptions, ValueAndGradients } from './grad.ts';
export { hvp, jvp, vjp } from './products.ts';
export type { HessianVector, JacobianVector, TensorFunction, VectorJacobian } from './products.ts';
export { checkpoint } from './checkpoint.ts';
export { gradcheck } from './gradcheck.ts';
export type { GradcheckOptions, GradcheckResult } from './gradcheck.ts';
