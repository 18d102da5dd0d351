/** @file The perceptron's step: rows uploaded, loss, gradients and SGD in one program, the loss read. */
import { grad } from '@camada/autograd';
import { crossEntropy } from '@camada/nn';
import { realize, tensor } from '@camada/tensor';
import { counted } from './counted.mjs';
import { BATCH, LABELS, LEARNING_RATE, SIZES, initialLayers, pixels } from '../../programs/mlp.mjs';

/** A run is one step and gives its loss. */
export function mlp(_params, device) {
  const layers = initialLayers().map(({ weight, bias, shape }) => ({
    weight: tensor(weight, shape),
    bias: tensor(bias),
  }));
  const parameters = layers.flatMap(({ weight, bias }) => [weight, bias]);
  const rows = pixels();
  const step = async () => {
    let x = tensor(rows, [BATCH, SIZES[0]]);
    layers.forEach(({ weight, bias }, i) => {
      x = x.matmul(weight).add(bias);
      if (i < layers.length - 1) x = x.relu();
    });
    const loss = crossEntropy(x, tensor(LABELS));
    grad(loss, parameters).forEach((gradient, i) =>
      parameters[i].assign(parameters[i].sub(gradient.mul(LEARNING_RATE))),
    );
    await realize([loss]);
    const value = await loss.item();
    loss.dispose();
    return value;
  };
  return counted(device, step);
}
