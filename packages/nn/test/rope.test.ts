/** @file Frequencies of the rotary embedding against Transformers, for real configurations and at several lengths. */
import {
  RotaryTables,
  emptyModel,
  ropeFrequencies,
  type CausalLM,
  type RopeParameters,
} from '@camada/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { goldenJson, on, relativeDifference } from './support.ts';

interface Case {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly length: number;
  readonly factor: number;
  readonly frequencies: readonly number[];
}

const { cases } = goldenJson<{ cases: readonly Case[] }>('rope.json');

function ropeOf(config: Case['config']): RopeParameters {
  const small = { ...config, vocab_size: 8, intermediate_size: 8, pad_token_id: null };
  const model = emptyModel({ ...small, bos_token_id: null, eos_token_id: null }, 'causal-lm');
  return (model as CausalLM).config.rope!.full_attention;
}

describe('ropeFrequencies', () => {
  it.each(cases)('$name at $length tokens', ({ config, length, frequencies }) => {
    const found = ropeFrequencies(ropeOf(config), length);
    expect(found.length).toBe(frequencies.length);
    for (const [i, frequency] of found.entries())
      expect(Math.abs(frequency / frequencies[i]! - 1), `frequency ${i}`).toBeLessThan(2e-6);
  });

  it('stretches more in each of the ways that differ by length', () => {
    const dynamic = cases.filter(({ name }) => name === 'dynamic');
    expect(dynamic[1]!.frequencies.at(-1)).toBeLessThan(0.9 * dynamic[0]!.frequencies.at(-1)!);
    const phi = cases.filter(({ name }) => name === 'Phi-3.5');
    expect(phi[1]!.frequencies[0]).toBeCloseTo(phi[0]!.frequencies[0]! / 8, 6);
  });
});

describe('RotaryTables', () => {
  beforeAll(() => on('wasm'));

  it.each(cases)(
    '$name: cosines and sines with the factor',
    async ({ config, length, factor, frequencies }) => {
      const { cos, sin } = new RotaryTables(ropeOf(config)).at(3, length);
      const angles = [0, 1, 2].flatMap((position) => frequencies.map((f) => position * f));
      const expected = (of: (angle: number) => number): number[] =>
        angles.map((a) => factor * of(a));
      expect(relativeDifference(await cos.data(), expected(Math.cos))).toBeLessThan(1e-5);
      expect(relativeDifference(await sin.data(), expected(Math.sin))).toBeLessThan(1e-5);
    },
  );
});
