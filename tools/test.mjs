/**
 * @file `npm test`: builds, type-checks the tests, then runs them in Node and in headless Chromium, one after
 * the other (two cores are enough). The last line is `N passed, N failed`, over both. The exit code is
 * not 0 when a test failed, when a run crashed, or when either run had no test at all. Arguments are
 * passed to vitest: `npm test -- packages/nn`; `--node` or `--browser` runs only one side.
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
];

function run(command, args) {
  const child = spawnSync(path.join(binaries, command), args, {
    cwd: root,
    stdio: 'inherit',
    timeout: MINUTES_PER_RUN * 60_000,
  });
  if (child.error) console.error(`${command}: ${child.error.message}`);
  return child.status ?? 1;
}

/** Counts of one vitest run; a crash, a file that does not load or a run without tests is a failure. */
function runSide(side, filters, folder) {
  const report = path.join(folder, `${side.name}.json`);
  console.log(`\n# tests in ${side.name}`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const status = run('vitest', ['run', '--config', side.config, ...reporters, ...filters]);
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
  const filters = args.filter((argument) => argument !== '--node' && argument !== '--browser');
  const only = sides.filter((side) => args.includes(`--${side.name}`));
  const total = { passed: 0, failed: 0 };
  for (const project of [['-b'], ['-p', 'tsconfig.test.json']]) {
    if (run('tsc', project) !== 0) total.failed += 1;
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), 'camada-test-'));
  for (const side of only.length ? only : sides) {
    const { passed, failed } = runSide(side, filters, folder);
    total.passed += passed;
    total.failed += failed;
  }
  rmSync(folder, { recursive: true, force: true });
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.failed === 0 ? 0 : 1;
}

main();
