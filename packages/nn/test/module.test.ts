/** @file Module trees: names, replacement, loading. */
import { InputError, ShapeError, tensor, type Tensor } from '@camada/tensor';
import {
  Linear,
  countParameters,
  getModule,
  loadParameters,
  modelFromConfig,
  namedModules,
  namedParameters,
  setModule,
  type Layer,
} from '@camada/nn';
import { describe, expect, it } from 'vitest';
import { goldenJson, goldenTensors } from './support.ts';

class Wrapper implements Layer {
  readonly base: Linear;
  readonly _hidden: Linear = new Linear(2, 2);
  constructor(base: Linear) {
    this.base = base;
  }
  call(x: Tensor): Tensor {
    return this.base.call(x).mul(2);
  }
}

const config = goldenJson('bert-classifier/config.json');

describe('module trees', () => {
  it.each(['bert-classifier', 'bert-masked-lm', 'llama-tied', 'llama-untied'])(
    'name the parameters of %s as its checkpoint does',
    (folder) => {
      const task = folder.startsWith('llama')
        ? 'causal-lm'
        : folder === 'bert-masked-lm'
          ? 'masked-lm'
          : 'classification';
      const model = modelFromConfig(goldenJson(`${folder}/config.json`), task);
      const { names, read } = goldenTensors(`${folder}/model.safetensors`);
      const parameters = namedParameters(model);
      expect([...parameters.keys()].sort()).toEqual([...names].sort());
      for (const name of names) expect(parameters.get(name)!.shape).toEqual(read(name).shape);
    },
  );

  it('replaces a module by a wrapper, whose fields then name the parameters', () => {
    const model = modelFromConfig(config, 'classification');
    const before = countParameters(model);
    const path = 'bert.encoder.layer.0.attention.self.query';
    setModule(model, path, new Wrapper(getModule(model, path) as Linear));
    const names = [...namedParameters(model).keys()].filter((name) => name.startsWith(path));
    expect(names).toEqual([`${path}.base.weight`, `${path}.base.bias`]);
    expect(namedModules(model).get(`${path}.base`)).toBeInstanceOf(Linear);
    expect(countParameters(model)).toBe(before);
  });

  it('says which modules there are when a path names none', () => {
    const model = modelFromConfig(config, 'classification');
    expect(() => getModule(model, 'encoder.layer.0.attention.self.query')).toThrow(
      /no module 'encoder.layer.0.attention.self.query'; it has 'bert.encoder.layer.0.attention.self.query'/,
    );
    expect(() => setModule(model, 'nowhere', new Linear(1, 1))).toThrow(InputError);
  });

  it('loads by name, reports what is missing and replaces nothing when a shape differs', () => {
    const layer = new Linear(2, 3);
    const weight = tensor(new Float32Array(6), [3, 2]);
    const bad = tensor(new Float32Array(2));
    expect(() => loadParameters(layer, (name) => (name === 'bias' ? bad : weight))).toThrow(
      ShapeError,
    );
    expect(layer.weight).not.toBe(weight);
    const names = loadParameters(layer, (name) => (name === 'weight' ? weight : undefined));
    expect(names).toEqual({ loaded: ['weight'], missing: ['bias'] });
    expect(layer.weight).toBe(weight);
  });

  it('counts the parameters of the tiny BERT', () => {
    const { names, read } = goldenTensors('bert-classifier/model.safetensors');
    const total = names.reduce((sum, name) => sum + read(name).data.length, 0);
    expect(countParameters(modelFromConfig(config, 'classification'))).toBe(total);
  });
});
