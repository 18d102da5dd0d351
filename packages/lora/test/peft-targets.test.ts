/** @file Which modules an adapter sits on: PEFT's matching rules, and what is said when nothing matches. */
import {
  defaultTargets,
  layerReader,
  loraConfig,
  matchTargets,
  moduleScale,
  type LoraOptions,
} from '@camada/lora';
import { InputError } from '@camada/tensor';
import { describe, expect, test } from 'vitest';

const BERT = [0, 1, 2]
  .flatMap((layer) =>
    [
      'attention.self.query',
      'attention.self.key',
      'attention.self.value',
      'attention.output.dense',
      'intermediate.dense',
      'output.dense',
    ].map((name) => `bert.encoder.layer.${layer}.${name}`),
  )
  .concat('bert.pooler.dense', 'classifier');

const match = (options: LoraOptions): string[] => matchTargets(BERT, loraConfig(options));
const layer = (index: number, name: string): string => `bert.encoder.layer.${index}.${name}`;

describe('lists', () => {
  test('match the end of a path at a dot', () => {
    expect(match({ target_modules: ['query'] })).toEqual(
      [0, 1, 2].map((i) => layer(i, 'attention.self.query')),
    );
    expect(match({ target_modules: ['output.dense'] })).toHaveLength(6);
    expect(match({ target_modules: ['attention.output.dense', 'query'] })).toHaveLength(6);
    expect(match({ target_modules: ['dense'] })).toHaveLength(10);
    expect(match({ target_modules: ['classifier'] })).toEqual(['classifier']);
  });

  test('take the layers asked for; a full path bypasses them', () => {
    const target_modules = ['query', 'value'];
    expect(match({ target_modules, layers_to_transform: [2] })).toEqual([
      layer(2, 'attention.self.query'),
      layer(2, 'attention.self.value'),
    ]);
    const full = layer(0, 'attention.self.key');
    expect(match({ target_modules: ['query', full], layers_to_transform: [1] })).toEqual([
      full,
      layer(1, 'attention.self.query'),
    ]);
    expect(
      match({ target_modules, layers_to_transform: [0], layers_pattern: ['layer'] }),
    ).toHaveLength(2);
    expect(match({ target_modules: ['dense'], layers_to_transform: [1] })).toHaveLength(3);
  });

  test('leave out what is excluded or trained in full', () => {
    expect(
      match({ target_modules: ['dense'], exclude_modules: ['output.dense', 'pooler.dense'] }),
    ).toHaveLength(3);
    expect(match({ target_modules: ['dense'], exclude_modules: '.*pooler.*' })).toHaveLength(9);
    expect(match({ target_modules: ['dense'], modules_to_save: ['pooler'] })).toHaveLength(9);
  });
});

describe('patterns', () => {
  test('match the whole path', () => {
    expect(match({ target_modules: '.*\\.(query|value)' })).toHaveLength(6);
    expect(match({ target_modules: '(?P<all>.*layer\\.[12]\\..*self.*)' })).toHaveLength(6);
    expect(() => match({ target_modules: 'query' })).toThrow(
      /the pattern "query" \(it must fit the whole path\)/,
    );
  });

  test('all-linear is everything but the output', () => {
    expect(match({ target_modules: 'all-linear' })).toEqual(BERT.slice(0, -1));
  });

  test('hostile ones are refused at once', () => {
    for (const pattern of ['(a+)+$', '(a|a)*b', '((a)*)*', '(a|b){9}', '([a-z]+){2,}x', '(']) {
      expect(() => match({ target_modules: pattern })).toThrow(InputError);
    }
    expect(() =>
      match({ target_modules: ['query'], layers_to_transform: [1], layers_pattern: ['(a*)*'] }),
    ).toThrow(InputError);
    expect(match({ target_modules: '(?:.*?(?:attention|mlp).*?(?:query|key).*?)' })).toHaveLength(
      6,
    );
  });
});

describe('nothing matches', () => {
  test('the candidates are listed', () => {
    const message = 'the modules that can be adapted end in query, key, value, dense, classifier.';
    expect(() => match({ target_modules: ['q_proj'] })).toThrow(
      `"q_proj" matches no module of the model; ${message}`,
    );
    expect(() => match({ target_modules: ['query', 'vlaue'] })).toThrow(
      '"vlaue" matches no module',
    );
    expect(() => match({ target_modules: ['uery'] })).toThrow(InputError);
    expect(() =>
      match({ target_modules: ['classifier'], modules_to_save: ['classifier'] }),
    ).toThrow(InputError);
    expect(() => matchTargets([], loraConfig({ target_modules: 'x' }))).toThrow('end in (none)');
  });

  test('a layer that is not there is told', () => {
    expect(() => match({ target_modules: ['query'], layers_to_transform: [1, 3] })).toThrow(
      'layers_to_transform asks for layer 3, but the target modules are in layers 0, 1, 2',
    );
  });
});

test('the number of a layer is the first one after a list', () => {
  const read = layerReader(null);
  expect(read('model.layers.11.self_attn.q_proj')).toBe(11);
  expect(read('model.layers.1.experts.0.w1')).toBe(1);
  expect(read('layers.1.q')).toBe(undefined);
  expect(read('classifier')).toBe(undefined);
  expect(layerReader(['layers'])('layers.1.q')).toBe(1);
  expect(layerReader(['h', 'layers'])('model.layers.4.q')).toBe(4);
});

test('rank, alpha and scale of single modules', () => {
  const config = loraConfig({
    target_modules: ['query'],
    r: 8,
    lora_alpha: 16,
    rank_pattern: { 'layer\\.1\\..*query': 4, '^query': 2 },
    alpha_pattern: { query: 8 },
  });
  expect(moduleScale(layer(1, 'attention.self.query'), config)).toEqual({
    r: 4,
    alpha: 8,
    scale: 2,
  });
  expect(moduleScale(layer(0, 'attention.self.query'), config)).toEqual({
    r: 8,
    alpha: 8,
    scale: 1,
  });
  expect(moduleScale('query', config).r).toBe(2);
  expect(moduleScale('x', config)).toEqual({ r: 8, alpha: 16, scale: 2 });
  expect(moduleScale('x', { ...config, use_rslora: true }).scale).toBe(16 / Math.sqrt(8));
});

test('default targets by architecture', () => {
  expect(defaultTargets('bert')).toEqual(['query', 'value']);
  expect(() => defaultTargets('constructor')).toThrow(
    /"constructor" has no default target_modules/,
  );
});
