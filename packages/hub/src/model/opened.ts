/** @file What an opened model offers, whatever kind of file it comes from. */
import type { Folder } from '../bytes/folder.ts';
import type { TensorReader } from '../safetensors/read.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { Config } from './config.ts';

/** An opened model; tensors are read when asked for. */
export interface ModelFolder {
  /** What errors call it. */
  readonly name: string;
  /** Its files; of a GGUF file, the ones that its metadata stand for. */
  readonly folder: Folder;
  /** `config.json`. */
  readonly config: Config;
  /** The weights under Hugging Face's names. */
  readonly tensors: TensorReader;
  /** The tokenizer with its special tokens; undefined where there is none. */
  readonly tokenizer: Tokenizer | undefined;
  /** `generation_config.json`; undefined where there is none. */
  readonly generation: Config | undefined;
}
