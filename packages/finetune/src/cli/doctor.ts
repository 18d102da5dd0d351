/** @file `camada doctor`. */
import { InputError } from '@camada/tensor';
import { selfTest, type Fault } from '@camada/tensor/self-test';
import { advice } from '../doctor/advice.ts';
import { command, type Command } from './command.ts';
import { currentDevice } from './device.ts';
import type { OptionTable } from './options.ts';

/** Characters of a fault's detail that are printed; --json has all. */
const DETAIL = 300;

const OPTIONS = {} as const satisfies OptionTable;

/** Says what this machine computes with, and whether it computes right. */
export const doctorCommand: Command = command({
  name: 'doctor',
  summary: 'Say which back end and adapter are used, test them, and what would be faster.',
  options: OPTIONS,
  examples: ['camada doctor', 'camada doctor --backend webgpu --json'],
  async run(_options, screen) {
    const device = await currentDevice();
    const { backend, adapter, features, limits } = device.info;
    const test = await selfTest(device);
    const advised = advice(device.info);
    const verdict = test.passed ? 'passed' : 'FAILED';
    screen.result(`back end   ${backend}`);
    screen.result(`adapter    ${adapter}`);
    screen.result(`features   ${features.join(', ') || 'none'}`);
    for (const [name, value] of Object.entries(limits))
      screen.result(`limit      ${name} = ${value.toLocaleString('en')}`);
    screen.result(
      `self-test  ${verdict}: ${test.checked} checks in ${(test.milliseconds / 1000).toFixed(1)} s, ` +
        `largest error ${test.maxError.toExponential(1)}`,
    );
    for (const fault of test.faults) screen.result(`wrong      ${describe(fault)}`);
    for (const line of advised) screen.result(`faster     ${line}`);
    if (!test.passed && !screen.json)
      throw new InputError(
        `The self-test failed on ${backend} (${adapter}); choose another back end with --backend, and report this.`,
      );
    return { backend, adapter, features, limits, selfTest: test, advice: advised };
  },
});

/** What is wrong, by how much, and how to see it. */
function describe({ op, dtype, error, bound, detail }: Fault): string {
  const much = Number.isFinite(error)
    ? `off by ${error.toExponential(1)}`
    : 'not a number or missing';
  return `${op} of ${dtype}: ${much}, allowed ${bound.toExponential(1)}; ${detail.slice(0, DETAIL)}`;
}
