/**
 * @file Lets the event loop turn now and then. Work here is synchronous, so a loop that only awaits its
 * results would never give FinalizationRegistry callbacks (and a page's painting) their macrotask.
 */

const CALLS = 32;
const MILLISECONDS = 50;

function macrotask(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (): void => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** Counts reads; pauses every 32nd one, and every 50 ms. */
export class Pause {
  #calls = 0;
  #last = 0;

  /** Resolves at once, or after a macrotask when one is due. */
  async now(): Promise<void> {
    const time = performance.now();
    if (++this.#calls < CALLS && time - this.#last < MILLISECONDS) return;
    this.#calls = 0;
    await macrotask();
    this.#last = performance.now();
  }
}
