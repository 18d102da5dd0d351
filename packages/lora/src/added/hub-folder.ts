/**
 * @file Bottleneck adapters in the folder layout of `adapters` 1.x (https://github.com/adapter-hub/adapters):
 * `adapter_config.json`, `adapter.safetensors` and, with a trained head, `model_head.safetensors`.
 */
import {
  Config,
  encodeSafetensors,
  jsonBytes,
  openFolder,
  openRequired,
  openSafetensors,
  readJsonRecord,
  writeFiles,
  type Folder,
  type JsonRecord,
  type TensorData,
  type TensorReader,
} from '@camada/hub';
import type { Model } from '@camada/nn';
import { InputError, type Tensor } from '@camada/tensor';
import { attach, ownParameter, type Adapter } from '../adapter/adapter.ts';
import type { LayerPart } from '../adapter/part.ts';
import type { SavedParameter } from '../adapter/saved.ts';
import { baseAt } from '../method/add.ts';
import { allData, restoreSaved, toTensor } from '../tensors.ts';
import {
  BOTTLENECK,
  BOTTLENECK_KEYS,
  bottleneckConfig,
  type BottleneckConfig,
} from './bottleneck.ts';
import { bottleneckPlaces, type BottleneckKind } from './sites.ts';

const CONFIG = 'adapter_config.json';
const TENSORS = 'adapter.safetensors';
const HEAD = 'model_head.safetensors';
const HEAD_CONFIG = 'head_config.json';
const VERSION = 'adapters.1.2.0';

/** Settings that must have these values: others compute something else. */
const FIXED: JsonRecord = {
  residual_before_ln: true,
  original_ln_after: true,
  adapter_residual_before_ln: false,
  ln_before: false,
  ln_after: false,
  is_parallel: false,
  phm_layer: false,
  use_gating: false,
  cross_adapter: false,
  inv_adapter: null,
};

/** Settings that say nothing where the fixed ones have their values; the library wants them all. */
const UNUSED: JsonRecord = {
  dropout: 0,
  factorized_phm_W: true,
  factorized_phm_rule: false,
  hypercomplex_nonlinearity: 'glorot-uniform',
  init_weights_seed: null,
  inv_adapter_reduction_factor: null,
  learn_phm: true,
  phm_bias: true,
  phm_c_init: 'normal',
  phm_dim: 4,
  phm_init_range: 0.0001,
  phm_rank: 1,
  shared_W_phm: false,
  shared_phm_rule: true,
  stochastic_depth: 0,
};

/** Which adapters these are: where a part is in front of a norm they are Pfeiffer's. */
function kindOf(model: Model, { layers }: Adapter): BottleneckKind {
  const [first = ''] = layers.keys();
  return bottleneckPlaces(model, 'houlsby').some(({ path }) => path === first)
    ? 'houlsby'
    : 'pfeiffer';
}

/** Writes a folder that `adapters` loads; all files or none. Throws InputError for parts at places that it does not have. */
export async function saveHubAdapter(
  directory: string,
  model: Model,
  adapter: Adapter<BottleneckConfig>,
): Promise<void> {
  const kind = kindOf(model, adapter);
  const places = new Map(bottleneckPlaces(model, kind).map(({ path, hub }) => [path, hub]));
  const entries = new Map<string, TensorData>();
  for (const [path, { tensors }] of adapter.layers) {
    const hub = places.get(path);
    if (hub === undefined)
      throw new InputError(`'${path}' is no place where the library adapters puts an adapter`);
    for (const [key, data] of await allData(tensors))
      entries.set(`${hub}.adapters.${adapter.name}.${key}`, data);
  }
  const files = new Map([
    [CONFIG, [withFloat(hubConfig(model, adapter, kind))]],
    [TENSORS, encodeSafetensors(entries)],
  ]);
  if (adapter.saved.size > 0) {
    const own = new Map([...adapter.saved].map(([name, entry]) => [name, entry.own]));
    files.set(HEAD, encodeSafetensors(await allData(own)));
    files.set(HEAD_CONFIG, [jsonBytes(headConfig(model))]);
  }
  await writeFiles([...files].map(([name, chunks]) => ({ path: `${directory}/${name}`, chunks })));
}

/** The library wants `scaling` with a point, which JavaScript's numbers do not have. */
function withFloat(record: JsonRecord): Uint8Array {
  const text = new TextDecoder().decode(jsonBytes(record));
  return new TextEncoder().encode(text.replace(/("scaling": ?\d+)(?=[,\s}])/, '$1.0'));
}

function facts({ config }: Model): JsonRecord {
  return {
    hidden_size: config.hidden_size,
    model_class: config.architectures[0] ?? null,
    model_name: null,
    model_type: config.model_type,
    version: VERSION,
  };
}

function hubConfig(
  model: Model,
  { name, config, layers }: Adapter<BottleneckConfig>,
  kind: BottleneckKind,
): JsonRecord {
  const { reduction_factor, non_linearity, scaling, init_weights } = config;
  const used = (block: string): boolean =>
    [...layers.keys()].some((path) => path.startsWith(`${block}.`));
  return {
    config: {
      ...UNUSED,
      ...FIXED,
      reduction_factor,
      non_linearity,
      scaling,
      init_weights,
      leave_out: model.layers.filter((layer) => !used(layer.name)).map(({ index }) => index),
      mh_adapter: kind === 'houlsby',
      output_adapter: true,
      original_ln_before: kind === 'pfeiffer',
    },
    ...facts(model),
    name,
  };
}

function headConfig(model: Model): JsonRecord {
  const labels = 'id2label' in model.config ? (model.config.id2label as JsonRecord) : {};
  const label2id = Object.fromEntries(
    Object.entries(labels).map(([id, name]) => [name, Number(id)]),
  );
  const num_labels = Object.keys(labels).length;
  return { config: null, ...facts(model), label2id, num_labels, name: null };
}

/**
 * Loads a folder of `adapters` onto a model, under the name that it has there. Throws InputError when a file is
 * damaged, the settings ask for another computation, or a place or shape is not the model's; the model is unchanged then.
 */
export async function loadHubAdapter(
  model: Model,
  directory: string | Folder,
): Promise<Adapter<BottleneckConfig>> {
  const folder = await openFolder(directory);
  const source = await openRequired(folder, CONFIG);
  const file = new Config(await readJsonRecord(source), source.name);
  const name = file.string('name');
  const { config, kind } = readConfig(file);
  const reader = await openSafetensors(await openRequired(folder, TENSORS));
  const places = new Map(bottleneckPlaces(model, kind).map(({ path, hub }) => [hub, path]));
  const found = await byPath(reader, name, places);
  const settings = bottleneckConfig({ ...config, target_modules: [...found.keys()] }, source.name);
  const layers = new Map<string, LayerPart>();
  for (const [path, tensors] of found) {
    const place = { path, base: baseAt(model, path), config: settings, shared: new Map() };
    layers.set(path, await BOTTLENECK.restore(place, tensors));
  }
  const saved = await readHead(model, folder);
  const parts = { name, method: BOTTLENECK, config: settings, layers, saved };
  return attach(model, { ...parts, shared: new Map(), part: undefined });
}

function readConfig(file: Config): {
  readonly config: Omit<BottleneckConfig, 'target_modules' | keyof object>;
  readonly kind: BottleneckKind;
} {
  const own = file.section('config');
  if (!own) throw new InputError(`${file.file}: there is no "config"; is it a folder of adapters?`);
  for (const [key, value] of Object.entries(FIXED))
    if ((own.get(key) ?? null) !== value && own.get(key) !== undefined)
      throw new InputError(
        `${file.file}: "${key}" is ${JSON.stringify(own.get(key))}, which changes what the adapter computes; ` +
          `only ${JSON.stringify(value)} is offered.`,
      );
  const { target_modules: _none, ...config } = BOTTLENECK.parse(
    new Config({ ...own.values, target_modules: ['adapters'] }, file.file),
  );
  return { config, kind: own.boolean('original_ln_before', false) ? 'pfeiffer' : 'houlsby' };
}

async function byPath(
  reader: TensorReader,
  name: string,
  places: ReadonlyMap<string, string>,
): Promise<Map<string, Map<string, Tensor>>> {
  const found = new Map<string, Map<string, Tensor>>();
  for (const key of reader.names) {
    const suffix = BOTTLENECK_KEYS.find((end) => key.endsWith(`.adapters.${name}.${end}`));
    const hub = key.slice(0, -`.adapters.${name}.${suffix ?? ''}`.length);
    const path = places.get(hub);
    if (suffix === undefined || path === undefined)
      throw new InputError(`${reader.source}: the tensor "${key}" has no place in this model`);
    const tensors = found.get(path) ?? new Map<string, Tensor>();
    found.set(path, tensors.set(suffix, toTensor(await reader.read(key), key)));
  }
  return found;
}

async function readHead(model: Model, folder: Folder): Promise<Map<string, SavedParameter>> {
  const saved = new Map<string, SavedParameter>();
  const source = await folder.open(HEAD);
  if (!source) return saved;
  const reader = await openSafetensors(source);
  for (const name of reader.names)
    saved.set(name, restoreSaved(ownParameter(model, name), name, await reader.read(name)));
  return saved;
}
