/**
 * @file Adapters of mlx-lm (https://github.com/ml-explore/mlx-lm, `mlx_lm/tuner`): `adapters.safetensors` with
 * `<path>.lora_a` [in, R] and `<path>.lora_b` [R, out], transposed to PEFT's, and `m` [out] of DoRA; in
 * `adapter_config.json` one `scale` for all, which is PEFT's alpha / r. Paths are the checkpoint's.
 */
import {
  Config,
  encodeSafetensors,
  jsonBytes,
  openRequired,
  openSafetensors,
  readJsonRecord,
  toFloat32,
  type Folder,
  type TensorData,
  type TensorReader,
} from '@camada/hub';
import { InputError } from '@camada/tensor';
import { loraConfig, moduleScale, type LoraConfig } from '../lowrank/config.ts';
import { MAGNITUDE } from '../lowrank/dora.ts';
import { EMBEDDING_A, EMBEDDING_B } from '../lowrank/lora-embedding.ts';
import { LORA_A, LORA_B } from '../lowrank/lora-part.ts';
import { LORA } from '../lowrank/lora.ts';
import type { AdapterData } from '../peft/adapter-file.ts';
import { byLayers, nameInLayer } from './layer-names.ts';

const CONFIG = 'adapter_config.json';
const TENSORS = 'adapters.safetensors';

/** Tables of words, whose ends of keys PEFT names differently. */
const TABLE = /(^|\.)(embed_tokens|word_embeddings|tok_embeddings|wte)$/;

/** Whether a folder holds an adapter of mlx-lm. */
export async function isMlxAdapter(folder: Folder): Promise<boolean> {
  return (await folder.list()).includes(TENSORS);
}

/** Reads an adapter of mlx-lm as one of PEFT. Throws InputError when it is damaged or no LoRA or DoRA. */
export async function readMlxAdapter(
  folder: Folder,
): Promise<AdapterData & { readonly warnings: readonly string[] }> {
  const source = await openRequired(folder, CONFIG);
  const config = new Config(await readJsonRecord(source), source.name);
  const reader = await openSafetensors(await openRequired(folder, TENSORS));
  const layers = new Map<string, Map<string, TensorData>>();
  for (const name of reader.names) {
    const { path, suffix } = peftKey(name, reader.source);
    const tensor = await turned(reader, name);
    layers.set(path, (layers.get(path) ?? new Map<string, TensorData>()).set(suffix, tensor));
  }
  const warnings = [...layers.keys()]
    .filter((path) => TABLE.test(path))
    .map(
      (path) =>
        `${reader.source}: where '${path}' is also the output layer (tied weights), mlx-lm adapts that too; here it is not.`,
    );
  const settings = peftConfig(config, layers);
  return {
    method: LORA,
    config: settings,
    layers,
    shared: new Map(),
    parameters: new Map(),
    warnings,
  };
}

function peftKey(name: string, file: string): { path: string; suffix: string } {
  const dot = name.lastIndexOf('.');
  const path = name.slice(0, dot);
  const table = TABLE.test(path);
  const ends: Readonly<Record<string, string>> = {
    lora_a: table ? EMBEDDING_A : LORA_A,
    lora_b: table ? EMBEDDING_B : LORA_B,
    // mlx-lm measures the rows of a table, PEFT its columns: two different methods.
    ...(table ? {} : { m: MAGNITUDE }),
  };
  const suffix = ends[name.slice(dot + 1)];
  if (dot > 0 && suffix !== undefined) return { path, suffix };
  throw new InputError(
    `${file}: the tensor "${name}" is no part of LoRA, or of DoRA on a linear layer; fuse the adapter into its model ` +
      'with mlx_lm.fuse instead',
  );
}

async function turned(reader: TensorReader, name: string): Promise<TensorData> {
  const entry = await reader.read(name);
  if (entry.shape.length === 1) return entry;
  if (entry.shape.length === 2) return transposed(entry);
  throw new InputError(
    `${reader.source}: the tensor "${name}" has ${entry.shape.length} axes (experts of a mixture); only matrices are read`,
  );
}

/** The transpose of a matrix, f32. */
function transposed(entry: TensorData): TensorData {
  const [rows = 0, columns = 0] = entry.shape;
  const values = toFloat32(entry);
  const data = new Float32Array(values.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) data[j * rows + i] = values[i * columns + j]!;
  return { dtype: 'f32', shape: [columns, rows], data };
}

function peftConfig(
  config: Config,
  layers: ReadonlyMap<string, ReadonlyMap<string, TensorData>>,
): LoraConfig {
  const kind = config.string('fine_tune_type', config.boolean('use_dora', false) ? 'dora' : 'lora');
  const settings = config.section('lora_parameters');
  if ((kind !== 'lora' && kind !== 'dora') || !settings)
    throw new InputError(
      `${config.file}: "fine_tune_type" is "${kind}" ${settings ? '' : 'without "lora_parameters"'}; ` +
        'only lora and dora of mlx-lm can be converted',
    );
  const tensors = [...layers.values()];
  const ranks = new Set(tensors.map((own) => (own.get(LORA_A) ?? own.get(EMBEDDING_A))?.shape[0]));
  const [r] = ranks;
  if (ranks.size !== 1 || r === undefined)
    throw new InputError(
      `${config.file}: every layer needs lora_a and lora_b of one rank, found ${[...ranks].join(', ')}`,
    );
  return loraConfig(
    {
      ...byLayers([...layers.keys()]),
      r,
      lora_alpha: settings.number('scale') * r,
      lora_dropout: settings.number('dropout', 0),
      use_dora: kind === 'dora',
      task_type: 'CAUSAL_LM',
      base_model_name_or_path: config.has('model') ? config.string('model') : null,
    },
    config.file,
  );
}

/**
 * The files of an adapter folder of mlx-lm. mlx-lm has one scale and one rank: those of the config and the largest; where
 * single layers have others, their B takes up the ratio, and zeros fill the rank. Throws InputError for what
 * mlx-lm cannot hold.
 */
export function mlxFiles(data: AdapterData): Map<string, readonly Uint8Array[]> {
  const config = checkedConfig(data);
  const { scale } = moduleScale('', config);
  const layers = [...data.layers].map(([path, tensors]) => mlxLayer(path, tensors, config));
  const rank = Math.max(...layers.map(({ a }) => a.shape[1]!));
  const entries = new Map<string, TensorData>();
  for (const { path, a, b, m } of layers) {
    entries.set(`${path}.lora_a`, transposed(filled(transposed(a), rank)));
    entries.set(`${path}.lora_b`, filled(b, rank));
    if (m) entries.set(`${path}.m`, m);
  }
  const record = {
    fine_tune_type: config.use_dora ? 'dora' : 'lora',
    // All layers; those without tensors here keep B = 0, which changes nothing.
    num_layers: -1,
    lora_parameters: {
      rank,
      scale,
      dropout: config.lora_dropout,
      keys: [...new Set([...data.layers.keys()].map(nameInLayer))],
    },
    ...(config.base_model_name_or_path !== null && { model: config.base_model_name_or_path }),
  };
  return new Map([
    [TENSORS, encodeSafetensors(entries)],
    [CONFIG, [jsonBytes(record)]],
  ]);
}

function checkedConfig({ method, config, layers, parameters }: AdapterData): LoraConfig {
  const refuse = (what: string): InputError =>
    new InputError(`mlx-lm cannot hold ${what}; merge the adapter into its model instead`);
  if (method.peftType !== LORA.peftType) throw refuse(`an adapter of ${method.peftType}`);
  const own = config as LoraConfig; // made by LORA
  const [saved] = parameters.keys();
  if (saved !== undefined) throw refuse(`'${saved}', which was trained in full,`);
  if (own.fan_in_fan_out) throw refuse('layers stored as [in, out] (fan_in_fan_out)');
  const table = [...layers.keys()].find((path) => TABLE.test(path));
  if (own.use_dora && table !== undefined) throw refuse(`DoRA of PEFT's kind on '${table}'`);
  return own;
}

interface MlxLayer {
  readonly path: string;
  /** [in, R] */
  readonly a: TensorData;
  /** [R, out] */
  readonly b: TensorData;
  /** [out] */
  readonly m: TensorData | undefined;
}

function mlxLayer(
  path: string,
  tensors: ReadonlyMap<string, TensorData>,
  config: LoraConfig,
): MlxLayer {
  const a = tensors.get(LORA_A) ?? tensors.get(EMBEDDING_A);
  const b = tensors.get(LORA_B) ?? tensors.get(EMBEDDING_B);
  if (!a || !b) throw new InputError(`the adapter's '${path}' lacks A or B; save it again`);
  const ratio = moduleScale(path, config).scale / moduleScale('', config).scale;
  const turnedB = transposed(b);
  const data = Float32Array.from(toFloat32(turnedB), (x) => x * ratio);
  return { path, a: transposed(a), b: { ...turnedB, data }, m: tensors.get(MAGNITUDE) };
}

/** A matrix with rows of zeros below, so that it has `rows`. */
function filled(entry: TensorData, rows: number): TensorData {
  const [own = 0, columns = 0] = entry.shape;
  if (own === rows) return entry;
  const data = new Float32Array(rows * columns);
  data.set(toFloat32(entry));
  return { dtype: 'f32', shape: [rows, columns], data };
}
