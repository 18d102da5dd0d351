/**
 * @file `npm run pretrain -- --minutes 40`: pretrains `camada-mini` and writes it to `examples/models/camada-mini`.
 * An interrupt (Ctrl-C) ends the run after its current step with a checkpoint; the same command goes on from it.
 */
import { device } from '@camada/tensor';
import { dropCheckpoint } from './checkpoint.ts';
import { parseOptions, type PretrainOptions } from './options.ts';
import { publish } from './publish.ts';
import { PretrainRun } from './run.ts';
import { prepareText } from './text.ts';

async function main(options: PretrainOptions): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const text = prepareText(options.vocabulary);
  say(`${text.train.length} tokens to learn from, ${text.heldOut.length} held out`);
  const { backend, adapter } = (await device()).info;
  say(`back end: ${backend}, ${adapter}`);
  const run = new PretrainRun(text, options);
  const stop = (): void => {
    run.stopped = true;
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const outcome = await run.train();
  if (outcome.seconds < options.minutes * 60) {
    say(`stopped at step ${outcome.step}; the same command goes on from there`);
    return;
  }
  await publish(run.trainer, text, outcome, options);
  dropCheckpoint(options);
  say(
    `${options.output}: held-out loss ${outcome.lastLoss.toFixed(3)} after ${outcome.step} steps`,
  );
}

async function start(): Promise<void> {
  await main(parseOptions(process.argv.slice(2)));
}

start().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
