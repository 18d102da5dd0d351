/** @file Dawn in the browser's place, for libraries that look for WebGPU in `navigator`. */
import { globals } from 'webgpu';
import { dawn } from '../../packages/tensor/dist/backend/webgpu/dawn.js';

/** Gives this process the `navigator.gpu` of a browser, on a driver by name. */
export async function pretendBrowser(driver) {
  Object.assign(globalThis, globals);
  globalThis.navigator ??= { userAgent: 'node' };
  Object.defineProperty(globalThis.navigator, 'gpu', { value: await dawn(driver) });
}
