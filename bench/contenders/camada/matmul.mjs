/** @file One product through the public API, its result on the device. */
import { realize, tensor } from '@camada/tensor';
import { filled, operandShapes } from '../../programs/matmul.mjs';

/** A run makes the graph, computes and drops the result. */
export async function matmul(product, device) {
  const [a, b] = operandShapes(product).map((shape) => tensor(filled(shape[0] * shape[1]), shape));
  await realize([a, b]);
  const { layout } = product;
  const run = async () => {
    const c = (layout[0] === 'T' ? a.transpose() : a).matmul(layout[1] === 'T' ? b.transpose() : b);
    await realize([c]);
    await device.backend.synchronize();
    c.dispose();
  };
  return { run };
}
