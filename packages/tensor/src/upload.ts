/** @file Memory and when it is taken: large models are made without any and loaded one array at a time. */
import { currentDevice } from './device.ts';
import type { DType } from './dtype.ts';
import { bufferNode } from './graph/node.ts';
import { leafStorage } from './graph/trace.ts';
import { sure } from './late.ts';
import { sizeOf, type Shape } from './shape.ts';
import { Tensor } from './tensor.ts';

/** Zeros with memory of their own, which an update may write; it is taken on first use. */
export function zeroBuffer(shape: Shape, dtype: DType = 'f32'): Tensor {
  const size = sizeOf(shape);
  const storage = { dtype, size, host: undefined, device: undefined, disposed: false };
  return Tensor.of(bufferNode(storage, shape));
}

/**
 * Copies the content of a tensor of host data to the open device and waits until it is there; the host's array can be
 * collected then. Does nothing where no device is open or the value is computed. Throws DeviceError when the device has
 * no room.
 */
export async function upload({ node }: Tensor): Promise<void> {
  const target = currentDevice();
  const storage = leafStorage(node);
  if (!target || !storage?.host) return;
  target.bufferOf(storage);
  await sure(storage);
  await target.backend.synchronize();
}
