/** @file Numbers for objects, so that identity can be part of a textual key. */

const known = new WeakMap<object, number>();
let count = 0;

/** The number of an object: the same for the same object, different for different ones. */
export function identity(object: object): number {
  let number = known.get(object);
  if (number === undefined) known.set(object, (number = count++));
  return number;
}
