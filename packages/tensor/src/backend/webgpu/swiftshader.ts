/**
 * @file SwiftShader, a Vulkan driver in software that the npm package `@sparticuz/chromium` carries: WebGPU
 * for tests on a machine without a GPU and without any Vulkan library. Node only.
 */
import { DeviceError } from '../../errors.ts';
import { importHidden } from './host.ts';

const PACKAGE = '@sparticuz/chromium';
const FILES = ['libvk_swiftshader.so', 'libvulkan.so.1', 'vk_swiftshader_icd.json'];
/** dlopen flag of Linux that `os.constants` lacks. Without it Node unloads what is no add-on of its own. */
const RTLD_NODELETE = 0x1000;
/** Bytes of a block of a tar file. */
const TAR_BLOCK = 512;

/** The modules of Node that this needs. */
interface Modules {
  readonly fs: typeof import('node:fs');
  readonly os: typeof import('node:os');
  readonly path: typeof import('node:path');
  readonly zlib: typeof import('node:zlib');
  readonly module: typeof import('node:module');
}

async function modules(): Promise<Modules> {
  return {
    fs: await importHidden('node:fs'),
    os: await importHidden('node:os'),
    path: await importHidden('node:path'),
    zlib: await importHidden('node:zlib'),
    module: await importHidden('node:module'),
  };
}

/**
 * Makes SwiftShader the Vulkan driver of this process; call before Dawn starts. Throws DeviceError when the
 * package is missing or this is not Linux.
 */
export async function useSwiftShader(): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new DeviceError(
      `webgpu: the packaged SwiftShader runs on Linux x64 only, not on ${process.platform} ${process.arch}; ` +
        'use adapter "auto" or CAMADA_BACKEND=wasm',
    );
  const node = await modules();
  const folder = extract(node, findPackage(node));
  keepLoaded(node, node.path.join(folder, 'libvulkan.so.1'));
  const driver = node.path.join(folder, 'vk_swiftshader_icd.json');
  process.env['VK_DRIVER_FILES'] = driver;
  process.env['VK_ICD_FILENAMES'] = driver;
}

/** The package's folder, looked up from here and from the working directory. */
function findPackage({ module, path }: Modules): string {
  for (const from of [import.meta.url, path.join(process.cwd(), 'package.json')]) {
    try {
      const entry = module.createRequire(from).resolve(PACKAGE);
      return entry.slice(0, entry.lastIndexOf(PACKAGE) + PACKAGE.length);
    } catch {
      continue;
    }
  }
  throw new DeviceError(
    `webgpu: adapter "swiftshader" needs the package ${PACKAGE}; ` +
      `run npm install --save-dev ${PACKAGE}@147, or choose CAMADA_BACKEND=wasm`,
  );
}

/** Unpacks the driver into a folder of the user's own; the rename makes concurrent first runs safe. */
function extract(node: Modules, root: string): string {
  const { fs, os, path } = node;
  const text = fs.readFileSync(path.join(root, 'package.json'), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  const folder = path.join(os.tmpdir(), `camada-swiftshader-${version}`);
  if (!fs.existsSync(folder)) {
    const temporary = fs.mkdtempSync(`${folder}-`);
    unpack(node, path.join(root, 'bin', 'swiftshader.tar.br'), temporary);
    try {
      fs.renameSync(temporary, folder);
    } catch {
      fs.rmSync(temporary, { recursive: true, force: true }); // Another process was first.
    }
  }
  return checkOwner(node, folder);
}

/** Others can write to the temporary folder: never load a library that is not our user's. */
function checkOwner({ fs, path }: Modules, folder: string): string {
  const trusted = [folder, ...FILES.map((file) => path.join(folder, file))].every((file) => {
    const found = fs.statSync(file, { throwIfNoEntry: false });
    return found?.uid === process.getuid?.();
  });
  if (trusted) return folder;
  throw new DeviceError(
    `webgpu: ${folder} is incomplete or belongs to another user; delete it, or set TMPDIR to a folder of your own`,
  );
}

function unpack({ fs, path, zlib }: Modules, archive: string, folder: string): void {
  const tar = zlib.brotliDecompressSync(fs.readFileSync(archive));
  for (let at = 0; at + TAR_BLOCK <= tar.length && tar[at] !== 0;) {
    const name = tar.toString('utf8', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(tar.toString('ascii', at + 124, at + 136), 8) || 0;
    const file = path.basename(name);
    const start = at + TAR_BLOCK;
    if (size > 0 && FILES.includes(file))
      fs.writeFileSync(path.join(folder, file), tar.subarray(start, start + size), { mode: 0o700 });
    at = start + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
  }
}

/** Loads a library that is no Node add-on: Node complains after it is in, which is what we want. */
function keepLoaded({ os }: Modules, file: string): void {
  const { RTLD_NOW, RTLD_GLOBAL } = os.constants.dlopen;
  try {
    process.dlopen({ exports: {} }, file, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  } catch (error) {
    if (!isNotAnAddon(error))
      throw new DeviceError(`webgpu: ${file} cannot be loaded: ${String(error)}`);
  }
}

/** True when dlopen found and loaded a file that is not a Node add-on. */
export function isNotAnAddon(error: unknown): boolean {
  return error instanceof Error && error.message.includes('self-register');
}
