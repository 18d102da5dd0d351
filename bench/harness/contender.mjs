/** @file The other side of `serve.mjs`: a child process that answers requests one by one. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Lines of a dead contender's complaints that are worth repeating. */
const LAST_LINES = 3;

/** A contender in a process of its own. */
export class Contender {
  #child;
  #waiting = [];
  #complaints = [];

  /** @param spec `{ command: [file, ...args], env? }` */
  constructor({ command: [file, ...args], env }) {
    this.#child = spawn(file, args, {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.on('error', (error) => this.#fail(error.message));
    this.#child.on('close', (code) =>
      this.#fail(`ended with ${code}: ${this.#complaints.join(' / ')}`),
    );
    this.#child.stdin.on('error', () => undefined); // its end is told by 'close'
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#receive(line));
    createInterface({ input: this.#child.stderr }).on('line', (line) => {
      if (/error|no such/i.test(line))
        this.#complaints = [...this.#complaints, line].slice(-LAST_LINES);
    });
  }

  #receive(line) {
    if (!line.startsWith('@')) return; // a library's own output
    this.#waiting.shift()?.resolve(JSON.parse(line.slice(1)));
  }

  #fail(message) {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error(message));
    this.dead = message;
  }

  /** One request and its answer. Throws what the contender threw, or why it ended. */
  async ask(op, fields = {}) {
    if (this.dead !== undefined) throw new Error(this.dead);
    const answered = new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#child.stdin.write(`${JSON.stringify({ op, ...fields })}\n`);
    const reply = await answered;
    if (reply.error !== undefined) throw new Error(reply.error);
    return reply;
  }

  /** Lets it end. */
  end() {
    if (this.dead !== undefined) return Promise.resolve();
    const closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin.end();
    return closed;
  }
}
