/** @file Which files of a model on a hub are needed: no other formats of the same weights, no pictures. */
import { InputError } from '@camada/tensor';
import type { RemoteFile } from './listing.ts';
import type { Repository } from './repository.ts';

/** Small files that are taken where they are: configuration, tokenizer, pooling, an adapter's own. */
const SMALL: readonly RegExp[] = [
  /^(config|generation_config|preprocessor_config|adapter_config|camada)\.json$/,
  /^(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json$/,
  /^(chat_template\.jinja|vocab\.txt|merges\.txt|(spm|tokenizer)\.model)$/,
  /^(modules|sentence_bert_config|config_sentence_transformers)\.json$/,
  /^\d+_[A-Za-z]+\/config\.json$/,
];

/** Formats of weights; of the first that a model has, everything is taken, and nothing of the others. */
const WEIGHTS: readonly RegExp[] = [
  /^((adapter_)?model|adapters)\.safetensors$/,
  /^model(-\d{5}-of-\d{5}\.safetensors|\.safetensors\.index\.json)$/,
  /^(pytorch|adapter)_model\.bin$/,
  /^pytorch_model(-\d{5}-of-\d{5}\.bin|\.bin\.index\.json)$/,
];

/** The files to fetch. Throws `InputError` when there are no weights, or several GGUF files to choose from. */
export function neededFiles(
  files: readonly RemoteFile[],
  repository: Repository,
): readonly RemoteFile[] {
  if (repository.file !== undefined) return oneFile(files, repository, repository.file);
  const weights = WEIGHTS.map((pattern) => files.filter(({ path }) => pattern.test(path)));
  const found = weights.find((group) => group.length > 0);
  if (!found) return oneGguf(files, repository);
  const small = files.filter(({ path }) => SMALL.some((pattern) => pattern.test(path)));
  return [...small, ...found];
}

function oneFile(
  files: readonly RemoteFile[],
  { name }: Repository,
  wanted: string,
): readonly RemoteFile[] {
  const found = files.filter(({ path }) => path === wanted);
  if (found.length > 0) return found;
  throw new InputError(
    `${name} has no file ${wanted}; it has ${ggufNames(files) || 'no GGUF file'}.`,
  );
}

function oneGguf(files: readonly RemoteFile[], { name }: Repository): readonly RemoteFile[] {
  const found = files.filter(({ path }) => /^[^/]+\.gguf$/i.test(path));
  if (found.length === 1) return found;
  throw new InputError(
    found.length > 1
      ? `${name} has several GGUF files; name one, ${name}/${found[0]!.path} (it has ${ggufNames(files)}).`
      : `${name} has no weights as safetensors, PyTorch or GGUF; take another model.`,
  );
}

function ggufNames(files: readonly RemoteFile[]): string {
  const names = files.map(({ path }) => path).filter((path) => path.endsWith('.gguf'));
  return names.slice(0, 12).join(', ');
}
