/** @file The registry's entry of a decoder family: every task, by the class that does it. */
import type { Architecture, Builder, ModelOptions, Task } from '../architecture.ts';
import { named, withLabels } from '../architecture.ts';
import type { Model } from '../model.ts';
import { CausalLM } from './causal.ts';
import { DecoderClassifier } from './classifier.ts';
import type { DecoderConfig } from './config.ts';
import type { DecoderModel } from './model.ts';

/** One family of decoders. */
export interface DecoderFamily<C extends DecoderConfig> {
  /** How Transformers' class names begin, such as `Llama`. */
  readonly family: string;
  /** The class that predicts tokens, where it is not `…ForCausalLM`. */
  readonly causal?: string;
  /** Reads a `config.json`. Throws InputError that names a bad field. */
  readonly parse: (config: unknown) => C;
  /** The decoder without a head, with zero weights. */
  readonly build: (config: C) => DecoderModel;
}

/** The registry's entry of a family. */
export function decoderArchitecture<C extends DecoderConfig>(spec: DecoderFamily<C>): Architecture {
  const { family, causal = `${family}ForCausalLM`, parse, build } = spec;
  const body = (config: unknown, name: string): DecoderModel => build(named(parse(config), name));
  const classifier =
    (task: Task): Builder =>
    (config: unknown, options: ModelOptions): Model => {
      const name = `${family}ForSequenceClassification`;
      return new DecoderClassifier(build(named(withLabels(parse(config), task, options), name)));
    };
  return {
    architectures: [`${family}Model`, causal, `${family}ForSequenceClassification`],
    tasks: {
      'causal-lm': (config) => new CausalLM(body(config, causal)),
      classification: classifier('classification'),
      'multi-label': classifier('multi-label'),
      regression: classifier('regression'),
      features: (config) => body(config, `${family}Model`),
    },
  };
}
