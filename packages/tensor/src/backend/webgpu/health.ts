/**
 * @file Errors are state: WebGPU reports failures late and drops work silently, so the first failure
 * poisons the device and every later call says what happened.
 */
import { DeviceError } from '../../errors.ts';

/** WebGPU drops the whole of a submit in which anything is wrong. */
const UNKNOWN =
  'what was computed since is unknown, so this device does no more work; open it anew with resetDevice() and go on ' +
  'from the last checkpoint';

/** Whether a device may still be used. */
export class Health {
  #failure: DeviceError | undefined;

  /** Records the first failure; later ones are its consequences. */
  fail(message: string): void {
    this.#failure ??= new DeviceError(message);
  }

  /** The first failure. */
  get failure(): DeviceError | undefined {
    return this.#failure;
  }

  /** Throws DeviceError, with the first failure as its cause, when there was one. */
  check(): void {
    if (!this.#failure) return;
    throw new DeviceError(this.#failure.message, { cause: this.#failure });
  }
}

/** A number of bytes for people. */
export function showBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < 3) [value, unit] = [value / 1024, unit + 1];
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Poisons `health` when the device is lost or reports an error that no scope caught. */
export function watch(device: GPUDevice, health: Health): void {
  void device.lost.then((info) => {
    const why = info.message === '' ? info.reason : `${info.reason}: ${info.message}`;
    health.fail(
      `webgpu: the device was lost (${why}), and with it what only its memory held; open it anew with resetDevice() ` +
        'and go on from the last checkpoint',
    );
  });
  device.addEventListener('uncapturederror', (event) => {
    health.fail(
      `webgpu: the device reported an error: ${firstLines(event.error.message)}; ${UNKNOWN}`,
    );
  });
}

/**
 * Runs `action` inside error scopes; when the device refuses it, `health` fails with `message` and the
 * device's reason. The answer of `action` is returned at once, since WebGPU only answers later.
 */
export function guard<T>(
  device: GPUDevice,
  health: Health,
  filters: readonly GPUErrorFilter[],
  message: () => string,
  action: () => T,
): T {
  for (const filter of filters) device.pushErrorScope(filter);
  const result = action();
  for (const _ of filters) {
    device.popErrorScope().then(
      (error) => error && health.fail(`${message()}: ${firstLines(error.message)}; ${UNKNOWN}`),
      () => undefined, // The device is gone, which `lost` reports.
    );
  }
  return result;
}

/** The part of a device's message that says what is wrong. */
export function firstLines(message: string): string {
  const lines = message.split('\n').filter((line) => line.trim() !== '');
  return lines.slice(0, 4).join(' ');
}
