/** @file Starts a worker thread in Node or in a page. It never keeps the process alive. */
import { isNode } from './features.ts';
import { NODE_WORKER, WEB_WORKER, type WorkerStart } from './worker-source.ts';

/** A running worker. */
export interface WorkerHandle {
  /** Ends it at once. */
  end(): void;
}

async function startInNode(start: WorkerStart): Promise<WorkerHandle> {
  const name = 'node:worker_threads';
  const { Worker } = (await import(
    /* @vite-ignore */ name
  )) as typeof import('node:worker_threads');
  const worker = new Worker(NODE_WORKER, { eval: true, workerData: start, execArgv: [] });
  // Its start needs this thread's event loop, which a training loop may not turn for long.
  await new Promise<void>((resolve, reject) => {
    worker.once('online', resolve);
    worker.once('error', reject);
  });
  worker.unref();
  return { end: () => void worker.terminate() };
}

function startInPage(start: WorkerStart): WorkerHandle {
  const url = URL.createObjectURL(new Blob([WEB_WORKER], { type: 'text/javascript' }));
  const worker = new Worker(url);
  worker.postMessage(start);
  // The worker has its text once it has answered nothing: browsers keep the Blob until it is fetched.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return { end: () => worker.terminate() };
}

/** Starts one. */
export async function startWorker(start: WorkerStart): Promise<WorkerHandle> {
  return isNode() ? startInNode(start) : startInPage(start);
}
