/** @file The model of a command: found, fetched where it is on a hub, opened, and shown while it loads. */
import type { FetchOptions } from '@camada/hub';
import { QUANTIZATIONS } from '@camada/nn';
import { loadModel, type LoadedModel } from '../model/load.ts';
import { currentDevice } from './device.ts';
import type { Screen } from './screen.ts';

/** Help of `--model`. */
export const MODEL_HELP = 'Model folder, GGUF file, or ORG/NAME on the Hugging Face Hub.';

/** Options of commands that run a model: how its weights are held. */
export const PRECISION_OPTIONS: {
  readonly quantize: {
    readonly type: 'text';
    readonly value: string;
    readonly help: string;
    readonly choices: readonly string[];
  };
  readonly dequantize: { readonly type: 'flag'; readonly help: string };
} = {
  quantize: {
    type: 'text',
    value: 'HOW',
    help: 'Pack the linear layers when they are loaded: nf4 (4 bits) or int8.',
    choices: QUANTIZATIONS,
  },
  dequantize: { type: 'flag', help: 'Make f32 numbers of what a GGUF file packs.' },
};

/** What `PRECISION_OPTIONS` gave. */
export interface PrecisionValues {
  readonly quantize?: string | undefined;
  readonly dequantize?: boolean;
}

/** Opens the model that the options name, and the device. Throws InputError as `loadModel` does. */
export async function openModel(
  options: PrecisionValues & {
    readonly model: string;
    readonly adapter?: string | undefined;
  },
  screen: Screen,
): Promise<LoadedModel> {
  const { model, adapter, dequantize } = options;
  const quantize = QUANTIZATIONS.find((name) => name === options.quantize);
  const loaded = await loadModel(model, {
    ...(quantize !== undefined && { quantize }),
    ...(dequantize && { dequantize }),
    ...(adapter !== undefined && { adapter }),
    fetch: fetching(screen),
    onWeights: (done, total) =>
      screen.progress('Loading weights', ...millions(done, total), 'million'),
  });
  await currentDevice();
  return loaded;
}

/** Shows what is fetched. */
export function fetching(screen: Screen): FetchOptions {
  return {
    onProgress: ({ file, done, total }) =>
      screen.progress(`Fetching ${file}`, ...millions(done, total), 'MB'),
  };
}

/** Both in millions with one digit; the first is the second at the end only. */
function millions(done: number, total: number): [number, number] {
  const [part, all] = [done, total].map((count) => Math.round(count / 1e5) / 10) as [
    number,
    number,
  ];
  return [done < total && part === all ? Math.max(0, all - 0.1) : part, all];
}
