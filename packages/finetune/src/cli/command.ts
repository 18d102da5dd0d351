/** @file What a command is, and its help. */
import { openBackend } from './device.ts';
import { parseOptions, type OptionTable, type Values } from './options.ts';
import type { Screen } from './screen.ts';

/** A command of `camada` as its file defines it. */
export interface Definition<T extends OptionTable> {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly options: T;
  /** Whole command lines. */
  readonly examples: readonly string[];
  /** Runs it; the result is what `--json` prints. */
  run(options: Values<T>, screen: Screen): Promise<unknown>;
}

/** A command, the types of its options forgotten. */
export interface Command extends Omit<Definition<OptionTable>, 'run'> {
  /** Parses the arguments and runs. */
  start(args: readonly string[], screen: Screen): Promise<unknown>;
}

const BACKENDS = ['webgpu', 'wasm', 'reference'] as const;

/** Options of every command. */
const COMMON = {
  backend: {
    type: 'text',
    value: 'NAME',
    help: 'Where to compute; a GPU if there is one, else WebAssembly.',
    choices: BACKENDS,
  },
  json: { type: 'flag', help: 'Print one JSON object to standard output and nothing else there.' },
  help: { type: 'flag', help: 'Show this.' },
} as const;

/** A command with the options that every command has. */
export function command<T extends OptionTable>(definition: Definition<T>): Command {
  const { name, summary, examples } = definition;
  const options = { ...definition.options, ...COMMON };
  return {
    name,
    summary,
    examples,
    options,
    async start(args, screen) {
      const values = parseOptions<T & typeof COMMON>(options, args, name);
      await openBackend(BACKENDS.find((known) => known === values.backend));
      return definition.run(values, screen);
    },
  };
}

/** Help of one command. */
export function commandHelp({ name, summary, options, examples }: Command): string {
  const lines = Object.entries(options).map(([option, spec]) => {
    const left = `  --${option}${spec.value === undefined ? '' : ` ${spec.value}`}`;
    const needed = spec.required ? ' (needed)' : '';
    const choices = spec.choices ? ` One of ${spec.choices.join(', ')}.` : '';
    return `${left.padEnd(26)} ${spec.help}${choices}${needed}`;
  });
  return [
    `camada ${name}: ${summary}`,
    '',
    'Options',
    ...lines,
    '',
    'Examples',
    ...examples.map((example) => `  ${example}`),
    '',
  ].join('\n');
}

/** Help of all commands. */
export function generalHelp(commands: readonly Command[]): string {
  return [
    'camada: fine-tunes transformer language models, in the layers that deserve it',
    '',
    'Commands',
    ...commands.map(({ name, summary }) => `  camada ${name.padEnd(10)} ${summary}`),
    '',
    'camada COMMAND --help tells the options of a command, with examples.',
    '',
    'CAMADA_BACKEND=webgpu|wasm|reference forces a back end; CAMADA_DEBUG=1 shows where errors come from.',
    '',
  ].join('\n');
}
