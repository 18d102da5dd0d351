/** @file What the method table knows about a method that trains an adapter. */
import type { Adapter, LayerConfig } from '@camada/lora';
import type { HeadModel } from '@camada/nn';
import type { Tensor } from '@camada/tensor';
import type { TrainingHooks } from './hooks.ts';

/** Settings that a user gives a method; each takes those that it has. PEFT's names are in brackets. */
export interface AdapterSettings {
  /** Rank (`r`, AdaLoRA's `target_r`); 8 when left out, VeRA's 256. */
  readonly r?: number;
  /** The update's factor is alpha / r (`lora_alpha`); 16 when left out. */
  readonly alpha?: number;
  /** Dropout on the input of the adapter (`lora_dropout`); 0 when left out. */
  readonly dropout?: number;
  /** Factor alpha / √r instead (`use_rslora`). */
  readonly rslora?: boolean;
  /** Module names matched at their end, or one regular expression (`target_modules`); PEFT's for the architecture when left out. */
  readonly targets?: readonly string[] | string;
  /** Biases that train too (`bias`): `none`, `all` or `lora_only`; none when left out. */
  readonly bias?: LayerConfig['bias'];
  /** Ranks of single layers, by patterns for the end of a path (`rank_pattern`); of LoRA and its kin. */
  readonly ranks?: Readonly<Record<string, number>>;
  /** How the adapter begins (`init_lora_weights`); the method's own beginning when left out. */
  readonly init?: boolean | string;
  /** Learning rate of B over that of A, of LoRA+ alone; 16 when left out. */
  readonly ratio?: number;
  /** Virtual tokens (`num_virtual_tokens`, `adapter_len`); 20 when left out, adaption prompts 10. */
  readonly tokens?: number;
  /** Width of the network behind a prompt (`encoder_hidden_size`); the model's when left out. */
  readonly hidden?: number;
  /** Prefixes through a network (`prefix_projection`); false when left out. */
  readonly projection?: boolean;
  /** Width of the model over that of a bottleneck (`reduction_factor`); 16 when left out. */
  readonly reduction?: number;
}

/** Where a method sits on layers. */
export interface AdapterPlaces {
  /** Paths of the modules that its targets can name. */
  candidates(model: HeadModel): readonly string[];
  /** Its targets where the user names none. Throws InputError where there are none. */
  targets(model: HeadModel): readonly string[] | string;
}

/** What an adapter is made from: the shared settings in PEFT's names, and the run. */
export interface AdapterOptions {
  readonly shared: Pick<
    LayerConfig,
    | 'task_type'
    | 'base_model_name_or_path'
    | 'modules_to_save'
    | 'target_modules'
    | 'layers_to_transform'
  >;
  /** Numbers of the chosen layers. */
  readonly layers: readonly number[];
  readonly seed: number;
  /** Steps of the run. */
  readonly steps: number;
}

/** A fresh adapter on a model, and what of it trains. */
export interface FreshAdapter {
  readonly adapter: Adapter;
  /** Parameters by name; all of the adapter's when left out. */
  readonly parameters?: ReadonlyMap<string, Tensor>;
  readonly hooks?: TrainingHooks;
}

/** One method of the table. */
export interface AdapterMethod {
  /** The learning rate where the user names none, for a model of this width. */
  learningRate(width: number): number;
  /** Linear layers and LoRA's targets when left out; `model` for methods that find their places themselves. */
  readonly places?: AdapterPlaces | 'model';
  /** Virtual tokens, which take positions of the text. */
  tokens?(settings: AdapterSettings): number;
  /** Throws InputError when settings cannot be. */
  check(settings: AdapterSettings, options: AdapterOptions, model: HeadModel): void;
  /** Puts a fresh adapter on a model. Throws InputError. */
  add(model: HeadModel, settings: AdapterSettings, options: AdapterOptions): Promise<FreshAdapter>;
}
