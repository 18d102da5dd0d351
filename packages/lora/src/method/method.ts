/**
 * @file The contract of a method. A method is one record, listed in `registry.ts` by PEFT's `peft_type`; it reads and
 * completes its settings and makes parts, fresh or from stored tensors. It knows nothing of the model around a layer,
 * of other adapters, of switching or of files. Methods that sit on layers are a `LayerMethod`; methods that change how
 * a whole model is called (prompts, prefixes) are a `ModelMethod`.
 */
import type { Config, JsonRecord } from '@camada/hub';
import type { Module } from '@camada/nn';
import type { Tensor } from '@camada/tensor';
import type { BaseLayer } from '../adapter/base.ts';
import type { LayerPart, ModelPart } from '../adapter/part.ts';
import type { LayerConfig, PeftConfig } from '../peft/common.ts';

/** What all methods say. */
interface MethodBase<C extends PeftConfig> {
  /** PEFT's name of it: `LORA`, `VERA`, … */
  readonly peftType: string;
  /** What PEFT's file puts before the names of the model's modules; `base_model.model.` when left out. */
  readonly prefix?: string;
  /** Keys of `adapter_config.json` that `parse` gives a meaning to. */
  readonly keys: readonly string[];
  /** Keys of PEFT's config that say nothing about the numbers; others that are not known are warned about. */
  readonly inert?: readonly string[];
  /** Keys that would change what the adapter computes, which is not offered: refused unless they say nothing. */
  readonly refused?: readonly string[];
  /** The settings in a file. Throws InputError on fields of a wrong type and on what is not offered. */
  parse(source: Config): C;
  /** The record to write, without `peft_type`; keys that old versions of PEFT lack only where they say something. */
  record(config: C): JsonRecord;
}

/** Where a part is to sit. */
export interface Place<C> {
  /** The layer's path in the model. */
  readonly path: string;
  readonly base: BaseLayer;
  readonly config: C;
  /** Tensors that the whole adapter shares, by key; empty for most methods. */
  readonly shared: ReadonlyMap<string, Tensor>;
}

/** An adapter as it is to be stored, where that is not its settings and tensors as they are. */
export interface Stored<C> {
  readonly config: C;
  /** Tensors by path and end of key. */
  readonly layers: ReadonlyMap<string, ReadonlyMap<string, Tensor>>;
  /** Shared tensors; the adapter's when left out. */
  readonly shared?: ReadonlyMap<string, Tensor>;
}

/** A method whose adapters sit on layers. */
export interface LayerMethod<C extends LayerConfig = LayerConfig> extends MethodBase<C> {
  readonly kind: 'layers';
  /** All ends of keys that its parts may have, without the leading dot. */
  readonly suffixes: readonly string[];
  /** Keys of shared tensors (VeRA's `base_model.vera_A`). */
  readonly sharedKeys?: readonly string[];
  /** Whether it can sit on a module. */
  wraps(module: Module): module is Module & BaseLayer;
  /** Makes the shared tensors of a fresh adapter. */
  share?(
    bases: ReadonlyMap<string, BaseLayer>,
    config: C,
    seed: number,
  ): ReadonlyMap<string, Tensor>;
  /** A part as training begins. `seed` and the path choose its numbers. */
  fresh(place: Place<C>, seed: number): LayerPart | Promise<LayerPart>;
  /** A part from stored tensors, f32. Throws InputError when one is missing or does not fit the layer. */
  restore(place: Place<C>, tensors: ReadonlyMap<string, Tensor>): LayerPart | Promise<LayerPart>;
  /** What is written in place of settings and tensors as they are, as with PiSSA, which is stored as LoRA. */
  stored?(config: C, layers: ReadonlyMap<string, LayerPart>): Promise<Stored<C>>;
}

/** A method whose adapters change how a whole model is called. */
export interface ModelMethod<C extends PeftConfig = PeftConfig> extends MethodBase<C> {
  readonly kind: 'model';
  /** Whether a key of `adapter_model.safetensors`, whole, is one of its own. */
  owns(key: string): boolean;
  /** A part as training begins. Throws InputError when the model cannot carry it. */
  fresh(model: Module, config: C, seed: number): ModelPart | Promise<ModelPart>;
  /** A part from stored tensors, f32, by whole key. Throws InputError when they do not fit the model. */
  restore(model: Module, config: C, tensors: ReadonlyMap<string, Tensor>): ModelPart;
}

/** Any method. */
export type Method = LayerMethod | ModelMethod;
