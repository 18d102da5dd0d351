/** @file The host numbers of a call as a captured step sees them: readable only where they are read at each call. */
import { InputError } from '../errors.ts';
import { wouldFreeze } from '../host-number.ts';

/** Numbers by name, and the object that a step is given. */
export class NumbersView {
  /** Throws InputError when a number is read while the graph is built: it would stay what it was in that call. */
  readonly view: Readonly<Record<string, number>> = {};
  readonly #values = new Map<string, number>();

  /** Takes the numbers of the next call. */
  set(numbers: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(numbers)) {
      if (!this.#values.has(name)) this.#define(name);
      this.#values.set(name, value);
    }
  }

  #define(name: string): void {
    const get = (): number => {
      if (wouldFreeze())
        throw new InputError(
          `capture: the step reads the number '${name}' while it builds its graph, and would keep that value for ever: ` +
            `read it by a function that runs at each call, as in scalar(() => numbers.${name}) or ` +
            `optimizer.step(gradients, () => numbers.${name})`,
        );
      return this.#values.get(name)!;
    };
    Object.defineProperty(this.view, name, { get, enumerable: true });
  }
}
