/** @file Downloads against a hub on this machine: what is fetched, resumed, checked, refused, cached and found again. */
import { lstat, readdir, readFile, readlink, writeFile as write, mkdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fetchModel, locateModel, type FetchOptions, type FetchProgress } from '@camada/hub';
import { cacheStore } from '../src/remote/cache.ts';
import { downloadFile } from '../src/remote/download.ts';
import { neededFiles } from '../src/remote/needed.ts';
import { cacheFolder, connect } from '../src/remote/options.ts';
import { isRepositoryName, parseRepository } from '../src/remote/repository.ts';
import { openHub, type Fault, type TestHub } from './hub-server.ts';
import { expectInputError, inFolder, utf8 } from './support.ts';

const WEIGHTS = Uint8Array.from({ length: 5000 }, (_, i) => (i * i) % 251);
const FILES = new Map([
  ['config.json', utf8('{"model_type":"bert"}')],
  ['tokenizer.json', utf8('{}')],
  ['modules.json', utf8('[]')],
  ['1_Pooling/config.json', utf8('{"pooling_mode_mean_tokens":true}')],
  ['model.safetensors', WEIGHTS],
  ['pytorch_model.bin', WEIGHTS.slice(1)],
  ['onnx/model.onnx', WEIGHTS.slice(2)],
  ['README.md', utf8('# model')],
]);

let hub: TestHub;
beforeEach(async () => {
  hub = await openHub(FILES);
  for (const name of ['HF_TOKEN', 'HF_ENDPOINT', 'HF_HUB_OFFLINE', 'HF_HUB_CACHE'])
    vi.stubEnv(name, '');
  vi.stubEnv('HF_TOKEN_PATH', '/nowhere');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
});

const inCache = (body: (cache: string, options: FetchOptions) => Promise<void>): Promise<void> =>
  inFolder((cache) => body(cache, { endpoint: hub.endpoint, cache, onProgress: received }));
const received = ({ done }: FetchProgress): void => void (hub.received = done);

const blobs = (cache: string): Promise<string[]> => readdir(`${cache}/models--org--model/blobs`);
const resolved = (): string[] =>
  hub.requests
    .filter(({ path }) => path.includes('/resolve/'))
    .map(({ path }) => path.split('/').at(-1)!);

test('only the needed files are fetched, into the layout that all tools share', async () => {
  await inCache(async (cache, options) => {
    const progress: FetchProgress[] = [];
    const folder = await fetchModel('org/model', {
      ...options,
      onProgress: (p) => progress.push(p),
    });
    expect(folder.name).toBe('org/model');
    expect(await folder.list()).toEqual([
      'config.json',
      'model.safetensors',
      'modules.json',
      'tokenizer.json',
    ]);
    const pooling = await folder.open('1_Pooling/config.json');
    expect(pooling?.size).toBe(FILES.get('1_Pooling/config.json')!.length);
    const weights = await folder.open('model.safetensors');
    expect(await weights!.read(0, weights!.size)).toEqual(WEIGHTS);
    expect(progress.at(-1)).toEqual({ file: 'model.safetensors', done: 5000, total: 5000 });
    const root = `${cache}/models--org--model`;
    expect(await readFile(`${root}/refs/main`, 'utf8')).toBe(hub.commit);
    const link = `${root}/snapshots/${hub.commit}/1_Pooling/config.json`;
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect(await readlink(link)).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/);
    expect((await blobs(cache)).filter((name) => name.length === 64)).toHaveLength(1);
  });
});

test('what is in the cache is not fetched again; offline the hub is not asked', async () => {
  await inCache(async (_, options) => {
    await fetchModel('org/model', options);
    hub.requests.length = 0;
    await fetchModel('org/model@refs/pr/1', options);
    expect(resolved()).toEqual([]);
    await hub.close();
    const folder = await fetchModel('org/model@refs/pr/1', { ...options, offline: true });
    expect(await folder.list()).toContain('model.safetensors');
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect((await fetchModel('org/model', options)).name).toBe('org/model');
    await expectInputError(
      () => fetchModel('org/other', options),
      /org\/other@main is not in the cache, and the hub is not asked because HF_HUB_OFFLINE is set/,
    );
  });
});

describe('broken connections', () => {
  const fault = (...faults: Fault[]): void => void hub.faults.set('model.safetensors', faults);
  const ranges = (): (string | undefined)[] =>
    hub.requests.filter(({ path }) => path.endsWith('model.safetensors')).map(({ range }) => range);

  test('are resumed where they ended', async () => {
    fault({ cutAfter: 1500 }, { status: 503 }, { cutAfter: 1000 });
    await inCache(async (_, options) => {
      const folder = await fetchModel('org/model', options);
      const weights = await folder.open('model.safetensors');
      expect(await weights!.read(0, 5000)).toEqual(WEIGHTS);
      expect(ranges()).toEqual([undefined, 'bytes=1500-', 'bytes=1500-', 'bytes=2500-']);
    });
  });

  test('begin again where the server knows no ranges', async () => {
    fault({ cutAfter: 1500 }, 'ignores ranges');
    await inCache(async (_, options) => {
      const weights = await (await fetchModel('org/model', options)).open('model.safetensors');
      expect(await weights!.read(0, 5000)).toEqual(WEIGHTS);
    });
  });

  test('are given up after five attempts without a byte; what arrived stays for the next time', async () => {
    await inCache(async (cache, options) => {
      fault({ cutAfter: 1200 }, ...Array<Fault>(9).fill({ cutAfter: 0 }));
      const file = { path: 'model.safetensors', size: 5000, etag: 'a'.repeat(64) };
      const repository = parseRepository('org/model');
      const store = await cacheStore(cache, repository);
      const url = `${hub.endpoint}/org/model/resolve/${hub.commit}/model.safetensors`;
      const origin = { url, connection: await connect(options), patience: 1 };
      await expectInputError(
        () => downloadFile(file, store, origin),
        /model\.safetensors: the download ended after 1200 of 5000 bytes \(.*\); run it again to go on from there/,
      );
      expect(hub.requests).toHaveLength(6);
      expect(await store.partialSize(file)).toBe(1200);
    });
  });

  test('an ended download can be resumed by another call', async () => {
    await inCache(async (cache, options) => {
      const control = new AbortController();
      const stop = (): void => control.abort();
      fault({ cutAfter: 2000 });
      await expectInputError(
        () =>
          fetchModel('org/model', {
            ...options,
            signal: control.signal,
            onProgress: (progress) => {
              received(progress);
              if (progress.done >= 1000) stop();
            },
          }),
        /the download ended after \d+ of 5000 bytes/,
      );
      expect((await blobs(cache)).filter((name) => name.endsWith('.incomplete'))).toHaveLength(1);
      hub.requests.length = 0;
      await fetchModel('org/model', options);
      expect(resolved()).toEqual(['model.safetensors']);
      expect(ranges()[0]).toMatch(/^bytes=\d+-$/);
    });
  });
});

describe('what is wrong is refused and not kept', () => {
  test.each([
    [
      'other bytes',
      /arrived with the checksum [0-9a-f]{64} instead of [0-9a-f]{64}; it was thrown away/,
    ],
    ['too many bytes', /the server sends more than the 5000 bytes/],
  ] as const)('%s', async (fault, message) => {
    hub.faults.set('model.safetensors', [fault]);
    await inCache(async (cache, options) => {
      await expectInputError(() => fetchModel('org/model', options), message);
      expect((await blobs(cache)).filter((name) => name.length === 64)).toEqual([]);
      await fetchModel('org/model', options);
    });
  });

  test('another part than was asked for', async () => {
    hub.faults.set('model.safetensors', [{ cutAfter: 10 }, 'other range']);
    await inCache(async (_, options) => {
      await expectInputError(() => fetchModel('org/model', options), /another part of the file/);
    });
  });

  test('a small file with a wrong checksum', async () => {
    hub.faults.set('config.json', ['other bytes']);
    await inCache(async (cache, options) => {
      await expectInputError(
        () => fetchModel('org/model', options),
        /config\.json arrived with the checksum/,
      );
      expect(await blobs(cache)).toEqual([]);
    });
  });
});

describe('refusals are said in words', () => {
  test('a private model', async () => {
    hub.token = 'hf_right';
    await inCache(async (_, options) => {
      await expectInputError(
        () => fetchModel('org/model', options),
        /org\/model@main on http.* is private, gated or does not exist; set HF_TOKEN/,
      );
      vi.stubEnv('HF_TOKEN', 'hf_right');
      expect((await fetchModel('org/model', options)).name).toBe('org/model');
      expect(new Set(hub.requests.slice(1).map(({ token }) => token))).toEqual(
        new Set(['Bearer hf_right']),
      );
    });
  });

  test('a model, a revision or a hub that is not there', async () => {
    await inCache(async (_, options) => {
      await expectInputError(
        () => fetchModel('org/none', options),
        /org\/none@main on .* does not exist/,
      );
      await expectInputError(
        () => fetchModel('org/model@v9', options),
        /org\/model@v9 on .* does not exist/,
      );
      hub.faults.set('config.json', [{ status: 403 }]);
      await expectInputError(
        () => fetchModel('org/model', options),
        /config\.json on .* may not be read/,
      );
      await expectInputError(
        () => fetchModel('org/model', { ...options, endpoint: 'http://127.0.0.1:9' }),
        /cannot be asked for org\/model \(.*\); check the connection, or set HF_HUB_OFFLINE=1/,
      );
    });
  });
});

describe('names', () => {
  test('are ORG/NAME, with a revision or a GGUF file', async () => {
    expect(parseRepository('org/model')).toEqual({
      name: 'org/model',
      revision: 'main',
      file: undefined,
    });
    expect(parseRepository('a-b/c.d_2@refs/pr/7').revision).toBe('refs/pr/7');
    expect(parseRepository('org/model/m-Q8_0.gguf@v1')).toEqual({
      name: 'org/model',
      revision: 'v1',
      file: 'm-Q8_0.gguf',
    });
    expect(
      ['./model', '/tmp/model', 'model', 'a/b/c', '../x', 'a/..'].map(isRepositoryName),
    ).toEqual(Array(6).fill(false));
    await expectInputError(() => parseRepository('model'), /"model" is no name of a model/);
    for (const revision of ['../x', 'a/../b', '..', 'a//b', '/etc', 'a b'])
      await expectInputError(
        () => parseRepository(`org/model@${revision}`),
        /is no branch, tag or commit/,
      );
  });

  test('a path from a hub never leads out of the cache', async () => {
    const file = (path: string) => ({ path, size: 1, etag: 'a'.repeat(40) });
    const repository = parseRepository('org/model');
    const paths = [
      'config.json',
      '../config.json',
      'a/../../model.safetensors',
      '/etc/model.safetensors',
      'model.safetensors',
    ];
    expect(neededFiles(paths.map(file), repository).map(({ path }) => path)).toEqual([
      'config.json',
      'model.safetensors',
    ]);
  });
});

describe('a hostile hub', () => {
  test.each([
    [{ path: '../../../evil.json' }, undefined],
    [{ path: '/evil.json' }, undefined],
    [{ path: 'snapshots/../../../../config.json' }, undefined],
    [{ oid: '../../../evil' }, /gives "\.\.\/\.\.\/\.\.\/evil" as the checksum of config\.json/],
    [{ oid: 7 }, /gives 7 as the checksum/],
    [{ size: 10 }, /sends more than the 10 bytes/],
  ])('that says %j writes nothing outside the cache', async (lie, message) => {
    hub.lies.set('config.json', lie);
    await inFolder(async (top) => {
      const options = { endpoint: hub.endpoint, cache: `${top}/a/b/cache` };
      await mkdir(options.cache, { recursive: true });
      if (message) await expectInputError(() => fetchModel('org/model', options), message);
      else
        expect(await (await fetchModel('org/model', options)).list()).not.toContain('config.json');
      const found = await readdir(top, { recursive: true });
      const outside = found.filter((path) => !path.startsWith('a/b/cache/models--org--model'));
      expect(outside.sort()).toEqual(['a', 'a/b', 'a/b/cache']);
    });
  });
});

describe('choosing files', () => {
  const choose = (name: string, ...paths: string[]): string[] =>
    neededFiles(
      paths.map((path) => ({ path, size: 1, etag: '' })),
      parseRepository(name),
    ).map(({ path }) => path);

  test('shards and their index, pickles only without safetensors, one GGUF', async () => {
    const shards = [
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ];
    expect(choose('o/m', ...shards, 'pytorch_model.bin')).toEqual(shards);
    expect(choose('o/m', 'config.json', 'pytorch_model.bin', 'tf_model.h5')).toEqual([
      'config.json',
      'pytorch_model.bin',
    ]);
    expect(choose('o/m', 'adapter_config.json', 'adapter_model.safetensors')).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
    ]);
    expect(choose('o/m', 'm.Q8_0.gguf', 'README.md')).toEqual(['m.Q8_0.gguf']);
    expect(choose('o/m/b.gguf', 'a.gguf', 'b.gguf')).toEqual(['b.gguf']);
    await expectInputError(
      () => choose('o/m', 'a.gguf', 'b.gguf'),
      /several GGUF files; name one, o\/m\/a\.gguf/,
    );
    await expectInputError(
      () => choose('o/m/c.gguf', 'a.gguf'),
      /o\/m has no file c\.gguf; it has a\.gguf/,
    );
    await expectInputError(
      () => choose('o/m', 'README.md'),
      /no weights as safetensors, PyTorch or GGUF/,
    );
  });
});

test('a name on a hub is fetched unless something lies at that path', async () => {
  await inCache(async (cache, options) => {
    expect(await locateModel('./org/model', options)).toBe('./org/model');
    expect(await locateModel(cache, options)).toBe(cache);
    const folder = await locateModel('org/model', options);
    expect(folder).toMatchObject({ name: 'org/model', path: expect.stringContaining(cache) });
    const here = process.cwd();
    await mkdir(`${cache}/org/model`, { recursive: true });
    process.chdir(cache);
    try {
      expect(await locateModel('org/model', options)).toBe('org/model');
    } finally {
      process.chdir(here);
    }
  });
});

test('the environment says where the hub, the token and the cache are', async () => {
  await inFolder(async (home) => {
    await mkdir(`${home}/x`);
    await write(`${home}/token`, 'hf_saved\n');
    vi.stubEnv('HF_TOKEN_PATH', '');
    vi.stubEnv('HF_HOME', home);
    vi.stubEnv('HF_ENDPOINT', 'http://mirror/');
    expect(await connect({})).toMatchObject({
      endpoint: 'http://mirror',
      token: 'hf_saved',
      offline: false,
    });
    expect(await cacheFolder({})).toBe(`${home}/hub`);
    vi.stubEnv('HF_HUB_CACHE', `${home}/x`);
    expect(await cacheFolder({})).toBe(`${home}/x`);
    expect(await cacheFolder({ cache: 'given' })).toBe('given');
  });
});
