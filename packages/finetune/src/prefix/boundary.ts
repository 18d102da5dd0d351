/** @file Below which layer nothing of a model changes while it trains, and whether what is computed there is always the same. */
import { createContext, hiddenName, type Batch, type HeadModel } from '@camada/nn';

/**
 * The lowest layer that holds one of these parameters; L when only the head trains, and 0 where one stands at the
 * embeddings, or nobody knows where.
 */
export function lowestLayer(model: HeadModel, parameters: Iterable<string>): number {
  if (model.prompting) return 0;
  const above = [...model.headPrefixes, 'lm_head.'];
  let lowest = model.layers.length;
  for (const name of parameters) {
    const layer = model.layers.find((info) => name.startsWith(`${info.name}.`));
    if (layer) lowest = Math.min(lowest, layer.index);
    else if (!above.some((prefix) => name.startsWith(prefix))) return 0;
  }
  return lowest;
}

/** Whether a training pass draws dropout masks before a layer. Only a graph is made; nothing runs. */
export function dropsBelow(model: HeadModel, batch: Batch, layer: number): boolean {
  let [drawn, below] = [0, 0];
  const context = createContext({
    training: true,
    capture: (name) => {
      if (name === hiddenName(layer)) below = drawn;
    },
  });
  const counting = {
    ...context,
    dropoutKey: () => {
      drawn++;
      return context.dropoutKey();
    },
  };
  model.call(batch, counting);
  return below > 0;
}
