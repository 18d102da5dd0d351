/**
 * @file Typed errors. Every message names the operation or file, what was given, what is allowed and
 * what to do about it. A message that starts with `internal:` is a fault of Camada, not of its user.
 */

/** Base class of every error that Camada throws on purpose. */
export class CamadaError extends Error {
  override name = 'CamadaError';
}

/** Shapes, axes or sizes that do not fit the operation. */
export class ShapeError extends CamadaError {
  override name = 'ShapeError';
}

/** An index outside its axis. */
export class IndexError extends CamadaError {
  override name = 'IndexError';
}

/** Element types that do not fit the operation. */
export class DTypeError extends CamadaError {
  override name = 'DTypeError';
}

/** The device refused, failed or was lost. */
export class DeviceError extends CamadaError {
  override name = 'DeviceError';
}

/** A file or other outside input that cannot be used; the message says where and what to do. */
export class InputError extends CamadaError {
  override name = 'InputError';
}

/** Throws an `internal:` error unless `condition` holds; narrows types. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new CamadaError(`internal: ${message}`);
}
