/**
 * @file `npm test`: builds, type-checks the tests, then runs them in Node and in headless Chromium, one after
 * the other (two cores are enough), and the laws of the engine once more on lavapipe where it is installed. The
 * last line is `N passed, N failed`, over all. The exit code is not 0 when a test failed, when a run
 * crashed, or when a run had no test at all. Arguments are passed to vitest: `npm test -- packages/nn`;
 * `--node`, `--browser` or `--lavapipe` runs only one side.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const binaries = path.join(root, 'node_modules', '.bin');
const MINUTES_PER_RUN = 12;

const sides = [
  { name: 'node', config: 'vitest.config.ts' },
  { name: 'browser', config: 'vitest.browser.config.ts' },
  {
    name: 'lavapipe',
    config: 'vitest.config.ts',
    filters: ['packages/tensor/test/laws'],
    missing: lavapipeMissing,
    // Its compiler takes tens of milliseconds a kernel: fewer cases, other seeds than on SwiftShader.
    env: {
      CAMADA_WEBGPU_ADAPTER: 'lavapipe',
      CAMADA_LAW_DEVICES: 'webgpu',
      CAMADA_LAW_RUNS: '0.4',
      CAMADA_LAW_SEED: '8',
    },
  },
];

/** Why lavapipe cannot be used here; undefined when it can. */
function lavapipeMissing() {
  const script = `import { openDevice } from '@camada/tensor';
    openDevice('webgpu', { adapter: 'lavapipe' }).then(
      (device) => device.dispose(),
      (error) => { console.log(error.message); process.exitCode = 1; },
    );`;
  const args = ['--input-type=module', '-e', script];
  const cwd = path.join(root, 'packages', 'nn');
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return status === 0 ? undefined : stdout?.trim() || 'it does not start';
}

function run(command, args, env = {}) {
  const child = spawnSync(path.join(binaries, command), args, {
    cwd: root,
    stdio: 'inherit',
    timeout: MINUTES_PER_RUN * 60_000,
    env: { ...process.env, ...env },
  });
  if (child.error) console.error(`${command}: ${child.error.message}`);
  return child.status ?? 1;
}

/** Counts of one vitest run; a crash, a file that does not load or a run without tests is a failure. */
function runSide(side, given, folder) {
  const why = side.missing?.();
  if (why !== undefined) {
    console.log(`\n# ${side.name} is not used, so the laws ran on fewer devices: ${why}`);
    return { passed: 0, failed: 0 };
  }
  const filters = given.length > 0 ? given : (side.filters ?? []);
  const report = path.join(folder, `${side.name}.json`);
  console.log(`\n# tests in ${side.name}`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const status = run(
    'vitest',
    ['run', '--config', side.config, ...reporters, ...filters],
    side.env,
  );
  const { passed, failed, skipped } = countsOf(report);
  if (skipped) console.log(`# ${side.name}: ${skipped} skipped`);
  if (passed === 0 && failed === 0) console.error(`# ${side.name}: no test ran`);
  const broken = failed === 0 && (status !== 0 || passed === 0);
  return { passed, failed: broken ? 1 : failed };
}

function countsOf(report) {
  try {
    const result = JSON.parse(readFileSync(report, 'utf8'));
    const unloaded = result.testResults.filter(
      (file) => file.status === 'failed' && file.assertionResults.length === 0,
    );
    return {
      passed: result.numPassedTests,
      failed: result.numFailedTests + unloaded.length,
      skipped: result.numPendingTests + result.numTodoTests,
    };
  } catch (error) {
    console.error(`# no report: ${error.message}`);
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

function main() {
  const args = process.argv.slice(2);
  const filters = args.filter((argument) => !sides.some(({ name }) => argument === `--${name}`));
  const only = sides.filter((side) => args.includes(`--${side.name}`));
  const all = filters.length === 0 ? sides : sides.filter((side) => !side.filters);
  const total = { passed: 0, failed: 0 };
  for (const project of [['-b'], ['-p', 'tsconfig.test.json']]) {
    if (run('tsc', project) !== 0) total.failed += 1;
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), 'camada-test-'));
  for (const side of only.length ? only : all) {
    const { passed, failed } = runSide(side, filters, folder);
    total.passed += passed;
    total.failed += failed;
  }
  rmSync(folder, { recursive: true, force: true });
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.failed === 0 ? 0 : 1;
}

main();
