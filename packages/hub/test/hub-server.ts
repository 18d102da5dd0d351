/** @file A hub for tests: the part of the protocol that downloads use, on this machine, with faults on request. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What goes wrong with the requests for a file; each request takes the next fault. */
export type Fault =
  | { readonly cutAfter: number }
  | { readonly status: number }
  | 'ignores ranges'
  | 'other bytes'
  | 'too many bytes'
  | 'other range';

/** A hub with one model. */
export interface TestHub {
  readonly endpoint: string;
  readonly commit: string;
  /** Requests so far: path, range and token. */
  readonly requests: { path: string; range: string | undefined; token: string | undefined }[];
  /** Faults by path of the file. */
  readonly faults: Map<string, Fault[]>;
  /** A token that is needed; undefined for a public model. */
  token: string | undefined;
  /** Bytes of the file that the client has, by its own account. */
  received: number;
  /** What the listing adds to its entries, by path. */
  readonly lies: Map<string, Record<string, unknown>>;
  close(): Promise<void>;
}

const COMMIT = '0123456789abcdef0123456789abcdef01234567';

/** Opens a hub with the model `org/model`; files from 1000 bytes on are large ones (LFS). */
export async function openHub(files: ReadonlyMap<string, Uint8Array>): Promise<TestHub> {
  const server = createServer((request, response) => answer(hub, files, request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const hub: TestHub = {
    endpoint: `http://127.0.0.1:${port}`,
    commit: COMMIT,
    requests: [],
    faults: new Map(),
    token: undefined,
    received: 0,
    lies: new Map(),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return hub;
}

function answer(
  hub: TestHub,
  files: ReadonlyMap<string, Uint8Array>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const path = decodeURIComponent(new URL(request.url!, hub.endpoint).pathname);
  const { range, authorization: token } = request.headers;
  hub.requests.push({ path, range, token });
  if (hub.token !== undefined && token !== `Bearer ${hub.token}`) return fail(response, 401);
  if (path.startsWith('/api/models/org/model/revision/'))
    return /\/(main|refs\/pr\/1)$/.test(path)
      ? json(response, { _id: '1', id: 'org/model', sha: COMMIT })
      : fail(response, 404);
  if (path === `/api/models/org/model/tree/${COMMIT}`)
    return json(response, listing(files, hub.lies));
  const name = path.split(`/org/model/resolve/${COMMIT}/`)[1];
  const bytes = name === undefined ? undefined : files.get(name);
  if (!bytes) return fail(response, 404);
  send(hub, response, bytes, range, hub.faults.get(name!)?.shift());
}

function listing(files: ReadonlyMap<string, Uint8Array>, lies: TestHub['lies']): unknown {
  return [...files].map(([path, bytes]) => {
    const sha1 = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
    const oid = createHash('sha256').update(bytes).digest('hex');
    const lfs = bytes.length >= 1000 && { oid, size: bytes.length, pointerSize: 130 };
    return {
      type: 'file',
      path,
      size: bytes.length,
      oid: sha1,
      ...(lfs && { lfs }),
      ...lies.get(path),
    };
  });
}

function send(
  hub: TestHub,
  response: ServerResponse,
  bytes: Uint8Array,
  range: string | undefined,
  fault: Fault | undefined,
): void {
  if (typeof fault === 'object' && 'status' in fault) return fail(response, fault.status);
  const asked = fault === 'ignores ranges' ? 0 : Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
  const from = fault === 'other range' ? asked + 1 : asked;
  const body = fault === 'other bytes' ? bytes.slice(from).fill(7) : bytes.slice(from);
  const whole = fault === 'too many bytes' ? new Uint8Array([...body, 1, 2, 3]) : body;
  if (from > 0)
    response.setHeader('Content-Range', `bytes ${from}-${bytes.length - 1}/${bytes.length}`);
  response.setHeader('Content-Length', whole.length);
  response.writeHead(from > 0 ? 206 : 200);
  if (typeof fault !== 'object') return void response.end(whole);
  response.flushHeaders();
  const part = whole.slice(0, fault.cutAfter);
  if (part.length > 0) response.write(part);
  cutWhenReceived(hub, response, from + part.length);
}

/** A broken stream forgets what was not read from it, so the cut waits for the reader. */
function cutWhenReceived(hub: TestHub, response: ServerResponse, bytes: number): void {
  const started = performance.now();
  const timer = setInterval(() => {
    if (hub.received < bytes && performance.now() - started < 5000) return;
    clearInterval(timer);
    response.destroy();
  }, 5);
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(value));
}

function fail(response: ServerResponse, status: number): void {
  response.writeHead(status);
  response.end();
}
