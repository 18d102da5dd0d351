/** @file The device of a command: opened by name or by default, closed so that the process can exit. */
import { device, openDevice, useDevice, type BackendName, type Device } from '@camada/tensor';

let opened: Device | undefined;

/** Makes the named back end the current device; without a name, the default is opened when it is needed. */
export async function openBackend(name: BackendName | undefined): Promise<void> {
  if (name === undefined) return;
  opened = await openDevice(name);
  useDevice(opened);
}

/** The device that the command uses, opened now. */
export async function currentDevice(): Promise<Device> {
  opened = await device();
  return opened;
}

/** Ends the device of the command, its threads included. */
export function closeDevice(): void {
  opened?.dispose();
  opened = undefined;
}
