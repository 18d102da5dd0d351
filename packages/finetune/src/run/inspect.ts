/** @file Looking inside an adapter, alone, beside another one and beside its model's weights. */
import { InputError, tensor } from '@camada/tensor';
import {
  locateModel,
  openModelFolder,
  toFloat32,
  type FetchOptions,
  type Folder,
  type TensorReader,
} from '@camada/hub';
import {
  adapterFactors,
  amplification,
  measureUpdate,
  nameInLayer,
  openAdapter,
  similarityOfAll,
  spaceOf,
  subspaceSimilarity,
  type Amplification,
  type HostFactors,
  type UpdateMeasures,
  type UpdateSpace,
} from '@camada/lora';

/** Choices of `inspect`. */
export interface InspectOptions {
  /** Another adapter of the same model, to compare subspaces with: another seed, another rank. */
  readonly other?: string | Folder;
  /** The model, for what the updates make of its weights. */
  readonly model?: string | Folder;
  /** Directions k that are compared with the weights; the rank when left out. */
  readonly directions?: number;
  /** How a hub is reached. */
  readonly fetch?: FetchOptions;
  /** Called with the layers done and in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** One adapted layer. */
export interface InspectedLayer extends UpdateMeasures {
  readonly path: string;
  /** [out, in]. */
  readonly shape: readonly [number, number];
  /** The update beside the model's weight; null without a model. */
  readonly weight: Amplification | null;
}

/** Subspaces of one layer in two adapters: φ at [i − 1][j − 1]. */
export interface ComparedLayer {
  readonly path: string;
  /** Of the rows of A, and of the columns of B. */
  readonly A: readonly (readonly number[])[];
  readonly B: readonly (readonly number[])[];
  /** φ of random subspaces of these ranks. */
  readonly random: { readonly A: number; readonly B: number };
}

/** Subspaces of the same module in all layers of an adapter: φ of all directions, [N][N]. */
export interface ComparedLayers {
  /** Name within a layer, such as `attention.self.query`. */
  readonly name: string;
  readonly paths: readonly string[];
  readonly A: readonly (readonly number[])[];
  readonly B: readonly (readonly number[])[];
}

/** What is inside an adapter. */
export interface Inspection {
  readonly layers: readonly InspectedLayer[];
  readonly between: readonly ComparedLayers[];
  /** Against the other adapter, layers that both have; empty without one. */
  readonly compared: readonly ComparedLayer[];
  readonly warnings: readonly string[];
}

/**
 * Spectra and ranks of an adapter's updates, how much subspaces share between layers and with another adapter, and
 * what the updates amplify in the model (LoRA, https://arxiv.org/abs/2106.09685, section 7). Throws InputError when a file is
 * damaged, the adapter is no LoRA, or adapters and model do not belong together.
 */
export async function inspect(
  adapter: string | Folder,
  options: InspectOptions = {},
): Promise<Inspection> {
  const { other, model, fetch } = options;
  const data = await openAdapter(await locateModel(adapter, fetch));
  const factors = adapterFactors(data);
  const weights = model && (await openModelFolder(await locateModel(model, fetch))).tensors;
  // Where the config says so, and for tables of words, weights are stored [in, out].
  const turned = 'fan_in_fan_out' in data.config && data.config.fan_in_fan_out === true;
  const layers: InspectedLayer[] = [];
  for (const [path, own] of factors) {
    options.onProgress?.(layers.length, factors.size);
    const weight = weights ? await beside(weights, path, own, { turned, ...options }) : null;
    layers.push({ path, shape: [own.B.rows, own.A.columns], ...measureUpdate(own), weight });
  }
  options.onProgress?.(layers.length, factors.size);
  const others = other && adapterFactors(await openAdapter(await locateModel(other, fetch)));
  return {
    layers,
    between: betweenLayers(factors),
    compared: others ? compare(factors, others) : [],
    warnings: data.warnings,
  };
}

async function beside(
  weights: TensorReader,
  path: string,
  factors: HostFactors,
  { turned, directions }: { turned: boolean; directions?: number },
): Promise<Amplification> {
  const { shape, ...stored } = await weights.read(weightName(weights, path));
  const weight = tensor(toFloat32({ shape, ...stored }), [...shape]);
  const [out, width] = [factors.B.rows, factors.A.columns];
  const table = shape[0] === width && shape[1] === out && width !== out;
  const asUsed = turned || table ? weight.transpose() : weight; // [out, in]
  try {
    return await amplification(asUsed, factors, directions ?? factors.A.rows);
  } finally {
    weight.dispose();
  }
}

/** The checkpoint's name of a layer's weight: models without head leave the first part of the path out. */
function weightName({ names, source }: TensorReader, path: string): string {
  const short = path.slice(path.indexOf('.') + 1);
  const found =
    [path, short].map((each) => `${each}.weight`).find((name) => names.includes(name)) ??
    names.find((name) => name.endsWith(`.${path}.weight`));
  if (found !== undefined) return found;
  throw new InputError(
    `${source} has no weight of the adapter's '${path}'; was the adapter trained on another model?`,
  );
}

function betweenLayers(factors: ReadonlyMap<string, HostFactors>): ComparedLayers[] {
  const groups = new Map<string, string[]>();
  for (const [path, { A, B }] of factors) {
    const key = `${nameInLayer(path)} ${B.rows} ${A.columns}`;
    groups.set(key, [...(groups.get(key) ?? []), path]);
  }
  return [...groups.values()]
    .filter((paths) => paths.length > 1)
    .map((paths) => {
      const all = (space: UpdateSpace): number[][] =>
        similarityOfAll(paths.map((path) => spaceOf(factors.get(path)!, space)));
      return { name: nameInLayer(paths[0]!), paths, A: all('A'), B: all('B') };
    });
}

function compare(
  factors: ReadonlyMap<string, HostFactors>,
  others: ReadonlyMap<string, HostFactors>,
): ComparedLayer[] {
  const shared = [...factors.keys()].filter((path) => others.has(path));
  if (shared.length === 0)
    throw new InputError(
      `the adapters share no layer: one has ${[...factors.keys()][0]}, the other ${[...others.keys()][0]}`,
    );
  return shared.map((path) => {
    const [one, two] = [factors.get(path)!, others.get(path)!];
    const all = (space: UpdateSpace): number[][] =>
      subspaceSimilarity(spaceOf(one, space), spaceOf(two, space));
    const rank = Math.max(one.A.rows, two.A.rows);
    const random = { A: rank / one.A.columns, B: rank / one.B.rows };
    return { path, A: all('A'), B: all('B'), random };
  });
}
