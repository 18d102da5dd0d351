/** @file Whether and how a device is profiled: `CAMADA_PROFILE`. */
import type { Backend } from '../backend.ts';
import { ProfilingBackend } from './profile.ts';
import { environment, importHidden, inNode } from '../webgpu/host.ts';

/**
 * The back end itself, or with `CAMADA_PROFILE` one that times its kernels. `CAMADA_PROFILE=1` prints a table when the device
 * is disposed or the process exits; a path ending in `.json` writes a Chrome trace there besides. The interpreter of the reference
 * has no kernels and is left as it is.
 */
export async function profiled(backend: Backend): Promise<Backend> {
  const wish = environment('CAMADA_PROFILE');
  if (wish === undefined || wish === '0' || backend.info.backend === 'reference') return backend;
  const profiling = new ProfilingBackend(backend);
  const { record } = profiling;
  const write = inNode()
    ? (await importHidden<typeof import('node:fs')>('node:fs')).writeFileSync
    : undefined;
  record.onEnd = () => {
    console.error(record.table());
    if (wish.endsWith('.json')) write?.(wish, record.trace());
  };
  if (inNode()) process.once('exit', () => record.end());
  return profiling;
}
