/** @file Options of a command: one table gives the types, the checks, the help and the guesses at misspellings. */
import { parseArgs } from 'node:util';
import { InputError } from '@camada/tensor';

/** One option. */
export interface OptionSpec {
  readonly type: 'text' | 'number' | 'integer' | 'flag';
  /** What stands for its value in the help. */
  readonly value?: string;
  readonly help: string;
  /** The command does not run without it. */
  readonly required?: true;
  /** Its value may be given without its name. */
  readonly alone?: true;
  /** Values that are allowed. */
  readonly choices?: readonly string[];
}

/** The options of a command by name. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

type ValueOf<S extends OptionSpec> = S['type'] extends 'flag'
  ? boolean
  : S['type'] extends 'text'
    ? string
    : number;

/** Values of a table; an option that was not given is undefined, a flag false. */
export type Values<T extends OptionTable> = {
  readonly [K in keyof T]: T[K] extends { readonly required: true } | { readonly type: 'flag' }
    ? ValueOf<T[K]>
    : ValueOf<T[K]> | undefined;
};

/** Reads arguments. Throws InputError on unknown, repeated, missing and malformed ones. */
export function parseOptions<T extends OptionTable>(
  table: T,
  args: readonly string[],
  command: string,
): Values<T> {
  const given = readTokens(table, args, command);
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(table)) {
    const text = given.get(name);
    if (text === undefined && spec.required)
      throw new InputError(
        `camada ${command} needs --${name} ${spec.value ?? ''} (${spec.help}); see camada ${command} --help.`,
      );
    values[name] = spec.type === 'flag' ? given.has(name) : convert(name, spec, text);
  }
  // Each value was made by the type that its table entry names, which is what `Values` says.
  return values as Values<T>;
}

function readTokens(
  table: OptionTable,
  args: readonly string[],
  command: string,
): Map<string, string> {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, { type }]) => [
      name,
      { type: type === 'flag' ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string>();
  for (const token of tokens) {
    const lone = token.kind === 'positional' ? aloneOption(table, given) : undefined;
    if (token.kind === 'positional' && lone !== undefined) {
      given.set(lone, token.value);
      continue;
    }
    if (token.kind === 'positional')
      throw new InputError(
        `camada ${command} does not know what "${token.value}" is for; options begin with --, and texts with spaces need quotes.`,
      );
    if (token.kind !== 'option') continue;
    given.set(token.name, valueOf(table, token, given, command));
  }
  return given;
}

/** The option that a value without a name is for. */
function aloneOption(table: OptionTable, given: ReadonlyMap<string, string>): string | undefined {
  return Object.keys(table).find((name) => table[name]!.alone && !given.has(name));
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
}

function valueOf(
  table: OptionTable,
  { name, rawName, value }: OptionToken,
  given: ReadonlyMap<string, string>,
  command: string,
): string {
  const spec = Object.hasOwn(table, name) ? table[name] : undefined;
  if (!spec) throw unknownOption(rawName, Object.keys(table), command);
  if (given.has(name)) throw new InputError(`--${name} is given twice; give it once.`);
  if (spec.type === 'flag' && value !== undefined)
    throw new InputError(`--${name} takes no value; write --${name} alone.`);
  if (spec.type !== 'flag' && (value === undefined || value.startsWith('--')))
    throw new InputError(`--${name} needs a value: --${name} ${spec.value ?? ''} (${spec.help}).`);
  return value ?? '';
}

function convert(
  name: string,
  { type, choices }: OptionSpec,
  text: string | undefined,
): string | number | undefined {
  if (text === undefined) return undefined;
  if (choices && !choices.includes(text))
    throw new InputError(`--${name} is "${text}", but must be one of ${choices.join(', ')}.`);
  if (type === 'text') return text;
  const value = text.trim() === '' ? NaN : Number(text);
  if (Number.isFinite(value) && (type === 'number' || Number.isInteger(value))) return value;
  throw new InputError(
    `--${name} is "${text}", but must be a ${type === 'integer' ? 'whole number' : 'number'}.`,
  );
}

function unknownOption(rawName: string, names: readonly string[], command: string): InputError {
  const near = nearest(rawName.replace(/^-+/, ''), names);
  const hint = near ? ` Did you mean --${near}?` : '';
  return new InputError(
    `camada ${command} has no option ${rawName}.${hint} See camada ${command} --help.`,
  );
}

/** The name that is at most a third of its letters away, if there is one. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const scored = names.map((name) => ({ name, away: distance(word, name) }));
  const [best] = scored.sort((a, b) => a.away - b.away);
  return best && best.away <= Math.ceil(best.name.length / 3) ? best.name : undefined;
}

/** Edit distance (Levenshtein 1966), by rows. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(a[i - 1] !== b[j - 1])),
      );
    row = next;
  }
  return row[b.length]!;
}
