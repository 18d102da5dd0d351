/**
 * @file Which modules an adapter sits on, by PEFT's rules (`tuners_utils.py`, `check_target_module_exists`):
 * a list matches the end of a path at a dot, a string the whole path; `layers_to_transform` applies to
 * names matched by their end, and a full path given in the list bypasses it.
 */
import { InputError } from '@camada/tensor';
import type { LayerConfig } from './common.ts';
import { anchored, fullMatch } from './pattern.ts';

/** The part of a config that decides which modules are adapted. */
export type TargetConfig = Pick<
  LayerConfig,
  | 'target_modules'
  | 'exclude_modules'
  | 'layers_to_transform'
  | 'layers_pattern'
  | 'modules_to_save'
>;

/** What PEFT calls every linear layer but the output, as a `target_modules`. */
export const ALL_LINEAR: string = 'all-linear';
const OUTPUT_HEADS: readonly string[] = ['lm_head', 'score', 'classifier'];

/** PEFT's default targets, by the `model_type` of `config.json`; those of DistilBERT, ModernBERT and Phi-3 are ours (PEFT has none). */
const DEFAULT_TARGETS: Readonly<Record<string, readonly string[]>> = {
  bert: ['query', 'value'],
  roberta: ['query', 'value'],
  'xlm-roberta': ['query', 'value'],
  distilbert: ['q_lin', 'v_lin'],
  modernbert: ['Wqkv'],
  'deberta-v2': ['query_proj', 'value_proj'],
  gpt2: ['c_attn'],
  llama: ['q_proj', 'v_proj'],
  mistral: ['q_proj', 'v_proj'],
  qwen2: ['q_proj', 'v_proj'],
  qwen3: ['q_proj', 'v_proj'],
  gemma: ['q_proj', 'v_proj'],
  gemma2: ['q_proj', 'v_proj'],
  gemma3_text: ['q_proj', 'v_proj'],
  phi3: ['qkv_proj'],
};

/** The targets of an architecture where the user names none. Throws `InputError` where there is no default. */
export function defaultTargets(modelType: string): readonly string[] {
  const targets = Object.hasOwn(DEFAULT_TARGETS, modelType)
    ? DEFAULT_TARGETS[modelType]
    : undefined;
  if (targets) return targets;
  const known = Object.keys(DEFAULT_TARGETS).join(', ');
  throw new InputError(
    `The model type "${modelType}" has no default target_modules (${known} have); name them.`,
  );
}

/**
 * The modules to adapt, in the order given. `moduleNames` are the full paths of all modules that can be
 * adapted. Throws `InputError`, listing candidates, when nothing matches, when a listed name matches no
 * module, and when a layer is asked for that the model does not have.
 */
export function matchTargets(moduleNames: readonly string[], config: TargetConfig): string[] {
  const isExcluded = excluder(config);
  const allowed = moduleNames.filter((name) => !isExcluded(name));
  const { target_modules: targets } = config;
  if (typeof targets === 'string') return matchPattern(allowed, moduleNames, targets);
  for (const target of targets) {
    if (moduleNames.some((name) => endsWithName(name, target))) continue;
    throw noMatch(`"${target}"`, moduleNames);
  }
  const layerOf = layerReader(config.layers_pattern);
  const layers = config.layers_to_transform?.length
    ? new Set(config.layers_to_transform)
    : undefined;
  const named = allowed.filter((name) => targets.some((target) => endsWithName(name, target)));
  if (layers) checkLayers(layers, named, layerOf);
  const matched = named.filter((name) => {
    return targets.includes(name) || !layers || layers.has(layerOf(name) ?? -1);
  });
  if (matched.length > 0) return matched;
  throw noMatch(targets.map((target) => `"${target}"`).join(', '), moduleNames);
}

function matchPattern(
  allowed: readonly string[],
  all: readonly string[],
  pattern: string,
): string[] {
  const matches =
    pattern === ALL_LINEAR
      ? (name: string): boolean => !name.split('.').some((part) => OUTPUT_HEADS.includes(part))
      : fullMatch(pattern, 'target_modules');
  const matched = allowed.filter(matches);
  if (matched.length > 0) return matched;
  throw noMatch(`the pattern "${pattern}" (it must fit the whole path)`, all);
}

/** True when the path is the name, or ends with it after a dot. */
function endsWithName(path: string, name: string): boolean {
  return path === name || path.endsWith(`.${name}`);
}

/** Modules that are left out by name, and those that are trained in full anyway. */
function excluder(config: TargetConfig): (path: string) => boolean {
  const { exclude_modules: excluded, modules_to_save: saved } = config;
  const matches =
    typeof excluded === 'string'
      ? fullMatch(excluded, 'exclude_modules')
      : (path: string): boolean => excluded?.some((name) => endsWithName(path, name)) ?? false;
  return (path) => matches(path) || (saved?.some((name) => isInside(path, name)) ?? false);
}

/** True when the path names the module or something inside it. */
export function isInside(path: string, module: string): boolean {
  return `.${path}.`.includes(`.${module}.`);
}

/**
 * How the number of a layer is read from a path: the first number after a list, of any name or of one of
 * `patterns`. Undefined for paths outside the layers. Throws `InputError` on a bad pattern.
 */
export function layerReader(
  patterns: readonly string[] | null,
): (path: string) => number | undefined {
  const expressions = patterns?.length
    ? patterns.map((pattern) => anchored('(?:.*?\\.)?', pattern, '\\.(\\d+)\\.', 'layers_pattern'))
    : [/^.*?\.[^.]*\.(\d+)\./];
  return (path) => {
    for (const expression of expressions) {
      const found = expression.exec(path)?.at(-1);
      if (found !== undefined) return Number(found);
    }
    return undefined;
  };
}

function checkLayers(
  layers: ReadonlySet<number>,
  named: readonly string[],
  layerOf: (path: string) => number | undefined,
): void {
  const present = new Set(named.map(layerOf).filter((layer) => layer !== undefined));
  const missing = [...layers].find((layer) => !present.has(layer));
  if (missing === undefined) return;
  const known = [...present].sort((a, b) => a - b).join(', ') || 'none';
  throw new InputError(
    `layers_to_transform asks for layer ${missing}, but the target modules are in layers ${known}; ` +
      'layers are counted from 0.',
  );
}

/** Lists the last parts of the module names, which are what a user would write. */
function noMatch(asked: string, moduleNames: readonly string[]): InputError {
  const last = new Set(moduleNames.map((name) => name.slice(name.lastIndexOf('.') + 1)));
  const candidates = [...last].filter((name) => !/^\d+$/.test(name)).slice(0, 20);
  return new InputError(
    `target_modules: ${asked} matches no module of the model; the modules that can be adapted end in ` +
      `${candidates.join(', ') || '(none)'}.`,
  );
}

/** The value of the first pattern that fits the end of a path; undefined where none does. */
export function patternValue(
  patterns: Readonly<Record<string, number>>,
  path: string,
): number | undefined {
  const place = 'rank_pattern or alpha_pattern';
  const found = Object.entries(patterns).find(([pattern]) =>
    anchored('(?:.*\\.)?', pattern, '$', place).test(path),
  );
  return found?.[1];
}
