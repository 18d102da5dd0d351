/**
 * @file Errors are state: WebGPU reports failures late and drops work silently, so the first failure
 * poisons the device and every later call says what happened.
 */
import { DeviceError } from '../../errors.ts';

/** Whether a device may still be used. */
export class Health {
  #failure: DeviceError | undefined;

  /** Records the first failure; later ones are its consequences. */
  fail(message: string): void {
    this.#failure ??= new DeviceError(message);
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
      `webgpu: the device was lost (${why}); open a new one and go on from the last checkpoint`,
    );
  });
  device.addEventListener('uncapturederror', (event) => {
    health.fail(`webgpu: the device reported an error: ${firstLine(event.error.message)}`);
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
      (error) => error && health.fail(`${message()}: ${firstLine(error.message)}`),
      () => undefined, // The device is gone, which `lost` reports.
    );
  }
  return result;
}

function firstLine(message: string): string {
  const lines = message.split('\n').filter((line) => line.trim() !== '');
  return lines.slice(0, 4).join(' ');
}
