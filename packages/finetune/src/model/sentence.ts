/** @file What sentence-transformers stores beside a model: `modules.json`, `1_Pooling/config.json` and their like. */
import { InputError } from '@camada/tensor';
import {
  isRecord,
  parseJson,
  readJsonRecord,
  readText,
  type Folder,
  type JsonRecord,
} from '@camada/hub';
import { SENTENCE_POOLINGS, type SentenceOptions } from '@camada/nn';

/** How texts become vectors. */
export interface SentenceModel extends SentenceOptions {
  /** Longest text in tokens; undefined where it is not said. */
  readonly maxLength: number | undefined;
  /** Whether texts are put in lower case first. */
  readonly lowerCase: boolean;
}

/**
 * Reads how a folder's model makes sentence embeddings; undefined where it has no `modules.json`. Throws InputError
 * when a file is missing or damaged, or asks for a step that is not supported.
 */
export async function readSentenceModel(folder: Folder): Promise<SentenceModel | undefined> {
  const source = await folder.open('modules.json');
  if (!source) return undefined;
  const modules = parseJson(await readText(source), source.name);
  if (!Array.isArray(modules) || !modules.every(isRecord))
    throw new InputError(`${source.name}: a list of modules was expected; copy the file again.`);
  const result = { pooling: ['mean_tokens'], normalize: false } as const;
  return modules.reduce<Promise<SentenceModel>>(
    async (before, module) => ({ ...(await before), ...(await stepOf(module, folder)) }),
    Promise.resolve({ ...result, ...(await textOptions(folder)) }),
  );
}

/** What one module of the list adds. */
async function stepOf(module: JsonRecord, folder: Folder): Promise<Partial<SentenceModel>> {
  const type = text(module['type']).split('.').at(-1);
  const path = text(module['path']);
  if (type === 'Transformer' && path === '') return {};
  if (type === 'Normalize') return { normalize: true };
  if (type === 'Pooling') return { pooling: await poolingsOf(folder, path) };
  throw new InputError(
    `${folder.name}: modules.json has a step of type ${JSON.stringify(module['type'])} in '${path}', which is not ` +
      'supported; supported are Transformer (in the folder itself), Pooling and Normalize.',
  );
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

async function poolingsOf(folder: Folder, path: string): Promise<SentenceModel['pooling']> {
  const source = await folder.open(`${path}/config.json`);
  if (!source)
    throw new InputError(
      `${folder.name}: modules.json names '${path}', but ${path}/config.json is missing; copy it with the model.`,
    );
  const config = await readJsonRecord(source);
  const found = SENTENCE_POOLINGS.filter((name) => config[`pooling_mode_${name}`] === true);
  if (found.length > 0) return found;
  throw new InputError(
    `${source.name}: no pooling is switched on; known are pooling_mode_${SENTENCE_POOLINGS.join(', pooling_mode_')}.`,
  );
}

async function textOptions(
  folder: Folder,
): Promise<Pick<SentenceModel, 'maxLength' | 'lowerCase'>> {
  const source = await folder.open('sentence_bert_config.json');
  const config = source ? await readJsonRecord(source) : {};
  const length = config['max_seq_length'];
  return {
    maxLength: typeof length === 'number' && length >= 1 ? Math.floor(length) : undefined,
    lowerCase: config['do_lower_case'] === true,
  };
}
