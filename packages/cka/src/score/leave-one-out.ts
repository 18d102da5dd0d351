/**
 * @file What is lost when a layer is skipped. The most direct measure of relevance ("Rethinking layer relevance", arXiv
 * 2605.14075), at the cost of one pass over the data for each layer. It needs a head that already does the task.
 */
import type { Tensor } from '@camada/tensor';
import { createContext, getModule, type Batch, type HeadModel } from '@camada/nn';
import { LayerMeans } from './summary.ts';
import { withHead, type Selector } from './selector.ts';

/** Accuracy (classes) or mean negative loss (values, language) without the layer, subtracted from that of the whole model. */
export const leaveOneOut: Selector = {
  what: 'how much accuracy is lost (or loss won) when a layer is skipped',
  needs: 'labels',
  async score(model, batches, options) {
    const head = withHead('leave-one-out', model);
    const means = new LayerMeans('leave-one-out', model);
    for await (const batch of batches) {
      const count = batch.inputIds.shape[0]!;
      const whole = await quality(head, batch);
      const drops: number[] = [];
      for (const { name } of model.layers)
        drops.push(whole - (await without(head, name, () => quality(head, batch))));
      means.add(
        drops.map((drop) => drop * count),
        drops.map(() => count),
        count,
      );
      options.onProgress?.(means.examples);
    }
    return means.finish(options, 'it could not be skipped');
  },
};

/** Runs f while a layer hands on what it receives. */
async function without<T>(model: HeadModel, path: string, f: () => Promise<T>): Promise<T> {
  const layer = getModule(model, path);
  Object.defineProperty(layer, 'call', { configurable: true, value: (rows: Tensor) => rows });
  try {
    return await f();
  } finally {
    Reflect.deleteProperty(layer, 'call'); // the method of the class again
  }
}

/** Share of right classes in a batch, or minus its mean loss. */
async function quality(model: HeadModel, batch: Batch): Promise<number> {
  const output = model.call(batch, createContext({ training: false }));
  if (model.limits.labels.kind === 'class' && batch.labels?.rank === 1) {
    const right = output.logits.argmax(-1).eq(batch.labels).cast('f32').mean();
    const poison = output.logits.sum().mul(0); // NaN where a logit is no number: argmax would hide it
    return right.add(poison).item();
  }
  return -(await model.loss(output, batch).item());
}
