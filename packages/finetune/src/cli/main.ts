/** @file The `camada` command: finds the command, runs it, and turns errors into one sentence. */
import { CamadaError, InputError } from '@camada/tensor';
import { commandHelp, generalHelp, type Command } from './command.ts';
import { compareCommand } from './compare.ts';
import { convertCommand } from './convert.ts';
import { doctorCommand } from './doctor.ts';
import { evalCommand } from './eval.ts';
import { fetchCommand } from './fetch.ts';
import { finetuneCommand } from './finetune.ts';
import { generateCommand } from './generate.ts';
import { inspectCommand } from './inspect.ts';
import { mergeCommand } from './merge.ts';
import { nearest } from './options.ts';
import { Screen } from './screen.ts';
import { selectCommand } from './select.ts';
import { closeDevice } from './device.ts';

const COMMANDS: readonly Command[] = [
  doctorCommand,
  fetchCommand,
  selectCommand,
  finetuneCommand,
  compareCommand,
  evalCommand,
  generateCommand,
  mergeCommand,
  convertCommand,
  inspectCommand,
];

/** Runs `camada` with arguments; the exit code. Every failure is one sentence on standard error. */
export async function main(args: readonly string[]): Promise<number> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', outliveReader);
  try {
    await dispatch(args);
    return 0;
  } catch (error) {
    process.stderr.write(`${sentence(error)}\n`);
    return 1;
  } finally {
    closeDevice();
  }
}

/** A reader that stops early (`| head`) does not end the work, whose files are still wanted. */
function outliveReader(error: Error & { readonly code?: string }): void {
  if (error.code !== 'EPIPE') throw error;
}

async function dispatch([name, ...args]: readonly string[]): Promise<void> {
  if (name === undefined || ['help', '--help', '-h'].includes(name)) {
    process.stdout.write(generalHelp(COMMANDS));
    return;
  }
  const command = COMMANDS.find((known) => known.name === name);
  if (!command) throw unknownCommand(name);
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(commandHelp(command));
    return;
  }
  const screen = new Screen(args.includes('--json'));
  try {
    const result = await command.start(args, screen);
    if (screen.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  } finally {
    screen.clear();
  }
}

function unknownCommand(name: string): InputError {
  const names = COMMANDS.map((command) => command.name);
  const near = nearest(name, names);
  return new InputError(
    `There is no command "${name}".${near ? ` Did you mean ${near}?` : ''} There are ${names.join(', ')}.`,
  );
}

/** What is shown of an error: its message, on one line, with the option that the packages call `header: false`. */
function sentence(error: unknown): string {
  if (process.env['CAMADA_DEBUG'] && error instanceof Error) return error.stack ?? error.message;
  const message = error instanceof Error ? error.message : String(error);
  const line = message.replaceAll(/\s*\n\s*/g, ' ').replaceAll('header: false', '--no-header');
  if (error instanceof CamadaError) return `camada: ${line}`;
  return `camada: this should not have happened: ${line} (CAMADA_DEBUG=1 shows where).`;
}
