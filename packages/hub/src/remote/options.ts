/**
 * @file How a hub is reached and where its files are kept: the variables that all Hugging Face tools know (`HF_ENDPOINT`,
 * `HF_TOKEN`, `HF_HOME`, `HF_HUB_CACHE`, `HF_HUB_OFFLINE`), or given in code.
 */
import { inNode, nodeFs } from '../bytes/node.ts';

/** Progress of one file, in bytes. */
export interface FetchProgress {
  readonly file: string;
  readonly done: number;
  readonly total: number;
}

/** Choices of `fetchModel`; what is left out comes from the environment. */
export interface FetchOptions {
  /** Address of the hub. */
  readonly endpoint?: string;
  /** Access token, for private and gated models. */
  readonly token?: string;
  /** Cache folder (Node); in a browser the name of a folder in its private file system. */
  readonly cache?: string;
  /** Takes what is in the cache and never asks the hub. */
  readonly offline?: boolean;
  /** Called as bytes arrive. */
  readonly onProgress?: (progress: FetchProgress) => void;
  /** Ends the download; it can be resumed later. */
  readonly signal?: AbortSignal;
}

/** Options with the environment's values in place. */
export interface Connection extends Omit<FetchOptions, 'token'> {
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly offline: boolean;
}

const HUB = 'https://huggingface.co';

type Environment = Readonly<Record<string, string | undefined>>;

/** The environment's variables; none in a browser. */
function environment(): Environment {
  return inNode() ? process.env : {};
}

/** Fills in what the caller left out. */
export async function connect(options: FetchOptions): Promise<Connection> {
  const variables = environment();
  const endpoint = options.endpoint ?? (variables['HF_ENDPOINT'] || HUB);
  return {
    ...options,
    endpoint: endpoint.replace(/\/+$/, ''),
    token: options.token ?? (variables['HF_TOKEN'] || (await savedToken(variables))),
    offline: options.offline ?? isTrue(variables['HF_HUB_OFFLINE']),
  };
}

function isTrue(value: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes((value ?? '').toUpperCase());
}

/** The folder of the cache, as `huggingface_hub` finds it (Node). */
export async function cacheFolder(options: Pick<FetchOptions, 'cache'>): Promise<string> {
  const variables = environment();
  const given = options.cache ?? variables['HF_HUB_CACHE'] ?? variables['HUGGINGFACE_HUB_CACHE'];
  return given || `${await homeFolder(variables)}/hub`;
}

async function homeFolder(variables: Environment): Promise<string> {
  if (variables['HF_HOME']) return variables['HF_HOME'];
  const { homedir } = await import('node:os');
  return `${variables['XDG_CACHE_HOME'] || `${homedir()}/.cache`}/huggingface`;
}

/** The token that `hf auth login` saves; undefined where there is none. */
async function savedToken(variables: Environment): Promise<string | undefined> {
  if (!inNode()) return undefined;
  const fs = await nodeFs();
  const path = variables['HF_TOKEN_PATH'] || `${await homeFolder(variables)}/token`;
  const text = await fs.readFile(path, 'utf8').catch(() => '');
  return text.trim() || undefined;
}
