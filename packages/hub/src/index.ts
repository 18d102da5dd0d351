/** @file What other packages may import: files in and out, as plain records without a device. */
export { blobSource, memorySource, type ByteSource } from './bytes/source.ts';
export { fileSource } from './bytes/node.ts';
export {
  directoryFolder,
  memoryFolder,
  openFolder,
  openRequired,
  openSource,
  subfolder,
  type Folder,
} from './bytes/folder.ts';
export {
  decodeUtf8,
  describe,
  isRecord,
  parseJson,
  parseJsonRecord,
  readJsonRecord,
  readText,
  type JsonRecord,
} from './bytes/text.ts';
export {
  jsonBytes,
  writeFile,
  writeFiles,
  writeJson,
  type Chunks,
  type FileContent,
} from './bytes/write.ts';
export { openSafetensors, type TensorEntry, type TensorReader } from './safetensors/read.ts';
export type { TensorData } from './safetensors/types.ts';
export {
  encodeSafetensors,
  PT_METADATA,
  writeSafetensors,
  type TensorEntries,
} from './safetensors/write.ts';
export { openPickle } from './pickle/read.ts';
export { openCheckpoint } from './safetensors/sharded.ts';
export {
  checkpointFiles,
  writeCheckpoint,
  type CheckpointOptions,
  type ModelWeight,
} from './safetensors/checkpoint.ts';
export { convertFloats, isFloatTensor, toFloat32, type FloatType } from './safetensors/convert.ts';
export { Config, readConfig } from './model/config.ts';
export {
  exportModel,
  storedWeights,
  WEIGHT_FORMATS,
  type SaveOptions,
  type WeightFormat,
} from './model/export.ts';
export { openModelFolder } from './model/folder.ts';
export type { ModelFolder } from './model/opened.ts';
export { BLOCK_FORMATS, type BlockFormat, type GgufType } from './gguf/blocks.ts';
export { unpackTensor, type PackedTensor } from './gguf/packed.ts';
export { openGguf } from './gguf/model.ts';
export { readGgufHeader, type GgufEntry, type GgufHeader } from './gguf/header.ts';
export { modelToGguf, type GgufModel } from './gguf/export.ts';
export type { WrittenType } from './gguf/write.ts';
export type { MetadataValue, NumberList } from './gguf/metadata.ts';
export { loadTokenizer, tokenizerFiles } from './tokenizer/load.ts';
export type { ChatMessage, ChatOptions } from './tokenizer/chat.ts';
export type { SpecialIds } from './tokenizer/special.ts';
export {
  createTokenizer,
  type DecodeOptions,
  type EncodeOptions,
  type Encoding,
  type Tokenizer,
  type TokenizerFiles,
} from './tokenizer/tokenizer.ts';
export type { TruncationStrategy } from './tokenizer/truncate.ts';
export { parseTable, readTable, type TableFormat, type TableOptions } from './table/read.ts';
export { column, numberColumn, textColumn, type Cell, type Table } from './table/table.ts';
export { convertLlama2c, llama2cToFolder, type Llama2cFiles } from './llama2c/convert.ts';
export { fetchModel } from './remote/fetch.ts';
export type { FetchOptions, FetchProgress } from './remote/options.ts';
export { locateModel } from './remote/locate.ts';
