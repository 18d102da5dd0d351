/**
 * @file A headless Chromium that needs no system package, for the browser tests. The npm package
 * `@sparticuz/chromium` carries the browser, SwiftShader (WebGPU without a GPU) and the shared libraries
 * (nss, nspr, expat, …) that a bare Debian lacks. It unpacks into the temporary directory and only on
 * AWS unpacks the libraries too, so a child process with both set to our wishes does the unpacking; the
 * finished folder is moved into place in one step, and an interrupted run leaves nothing half-written.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const cache = path.join(root, 'node_modules', '.cache', 'camada');

/**
 * Flags that give WebGPU on SwiftShader in a container, keep the browser off the network, and let tests of
 * memory ask for a garbage collection.
 */
export const chromiumFlags = [
  '--no-sandbox',
  '--no-zygote',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-unsafe-swiftshader',
  '--ignore-gpu-blocklist',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--js-flags=--expose-gc',
];

/**
 * Unpacks the browser once and says how to start it.
 *
 * @returns {{ executablePath: string, env: Record<string, string> }} Path of the binary and the
 * environment it must run in. Throws when the package is missing or cannot be unpacked.
 */
export function chromium() {
  const directory = path.join(cache, `chromium-${packageVersion()}`);
  if (!existsSync(directory)) unpack(directory);
  const library = path.join(directory, 'al2023', 'lib');
  return {
    executablePath: path.join(directory, 'chromium'),
    env: {
      ...process.env,
      LD_LIBRARY_PATH: [library, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':'),
      FONTCONFIG_PATH: path.join(directory, 'fonts'),
      HOME: directory,
    },
  };
}

function packageVersion() {
  const file = path.join(root, 'node_modules', '@sparticuz', 'chromium', 'package.json');
  if (!existsSync(file)) throw new Error('@sparticuz/chromium is missing: run `npm install`');
  return JSON.parse(readFileSync(file, 'utf8')).version;
}

function unpack(directory) {
  mkdirSync(cache, { recursive: true });
  const temporary = mkdtempSync(path.join(cache, 'unpack-'));
  const script = `import chromium from '@sparticuz/chromium'; await chromium.executablePath();`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    env: { ...process.env, TMPDIR: temporary, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' },
    encoding: 'utf8',
  });
  if (child.status !== 0) throw new Error(`cannot unpack Chromium: ${child.stderr}`);
  moveInto(temporary, directory);
}

/** Another process may have been faster: then its copy stays. */
function moveInto(temporary, directory) {
  try {
    renameSync(temporary, directory);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(directory)) throw error;
  }
}
