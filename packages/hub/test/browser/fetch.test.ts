/** @file Models in a browser: kept in its private file system, resumed, checked, and found again without a connection. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fetchModel } from '@camada/hub';

const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const ENDPOINT = 'http://hub.test';
const WEIGHTS = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7) % 256);
const CONFIG = new TextEncoder().encode('{"model_type":"bert"}');

async function hex(kind: string, ...parts: Uint8Array[]): Promise<string> {
  const bytes = await new Blob(parts as BlobPart[]).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest(kind, bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A hub inside the page; `cut` bytes of the weights arrive at the first request, `broken` ones later. */
function hub(options: { cut?: number; damage?: boolean }): string[] {
  const ranges: string[] = [];
  let { cut } = options;
  const answer = async (url: string, range: string | null): Promise<Response> => {
    if (url.includes('/api/models/org/model/revision/')) return Response.json({ sha: COMMIT });
    if (url.includes('/api/models/org/model/tree/')) {
      const prefix = new TextEncoder().encode(`blob ${CONFIG.length}\0`);
      const oid = await hex('SHA-1', prefix, CONFIG);
      const lfs = { oid: await hex('SHA-256', WEIGHTS), size: 5000, pointerSize: 1 };
      return Response.json([
        { type: 'file', path: 'config.json', size: CONFIG.length, oid },
        { type: 'file', path: 'model.safetensors', size: 5000, oid, lfs },
      ]);
    }
    if (url.endsWith('/config.json')) return new Response(CONFIG);
    const from = Number(/\d+/.exec(range ?? '0')![0]);
    ranges.push(range ?? 'all');
    const rest = options.damage ? WEIGHTS.slice(from).fill(1) : WEIGHTS.slice(from);
    const body = cut === undefined ? rest : broken(rest.slice(0, cut));
    cut = undefined;
    const headers = { 'Content-Range': `bytes ${from}-4999/5000` };
    return new Response(body, from > 0 ? { status: 206, headers } : {});
  };
  vi.stubGlobal('fetch', (input: RequestInfo | URL, init?: RequestInit) =>
    answer(
      input instanceof Request ? input.url : input.toString(),
      new Headers(init?.headers).get('Range'),
    ),
  );
  return ranges;
}

/** Some bytes, and then a broken connection. */
function broken(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let sent = false;
  return new ReadableStream({
    pull(controller) {
      if (sent) controller.error(new TypeError('network error'));
      else controller.enqueue(bytes);
      sent = true;
    },
  });
}

let cache: string;
beforeEach(() => void (cache = `test-${crypto.randomUUID()}`));
afterEach(async () => {
  vi.unstubAllGlobals();
  await (await navigator.storage.getDirectory()).removeEntry(cache, { recursive: true });
});

test('a broken download is resumed, and then found without a connection', async () => {
  const ranges = hub({ cut: 1500 });
  const folder = await fetchModel('org/model', { endpoint: ENDPOINT, cache });
  expect(await folder.list()).toEqual(['config.json', 'model.safetensors']);
  const weights = (await folder.open('model.safetensors'))!;
  expect(await weights.read(0, 5000)).toEqual(WEIGHTS);
  expect(ranges).toEqual(['all', 'bytes=1500-']);
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no connection')));
  const again = await fetchModel('org/model', { endpoint: ENDPOINT, cache, offline: true });
  expect(await (await again.open('model.safetensors'))!.read(10, 5)).toEqual(WEIGHTS.slice(10, 15));
});

test('a wrong checksum is refused and not kept', async () => {
  hub({ damage: true });
  const options = { endpoint: ENDPOINT, cache };
  await expect(fetchModel('org/model', options)).rejects.toThrow(/arrived with the checksum/);
  const ranges = hub({});
  await fetchModel('org/model', options);
  expect(ranges).toEqual(['all']);
});
