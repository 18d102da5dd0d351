/**
 * @file The facts of an adapter on which kernels choose their variant. Plain data, so that tests can
 * ask for the variants of another class of device than the one they run on.
 */
import { DeviceError } from '../../../errors.ts';

/** What the kernel writer knows about the device. */
export interface AdapterFacts {
  /** A software adapter: barriers and invocations are dear, so kernels avoid workgroup memory. */
  readonly cpu: boolean;
  /** Workgroups in one dimension of a dispatch. */
  readonly maxWorkgroups: number;
  /** Invocations in one workgroup. */
  readonly maxInvocations: number;
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
  /** Storage buffers that one kernel may bind. */
  readonly storageBuffers: number;
  /** Bytes of a buffer that one kernel may bind. */
  readonly bindingBytes: number;
  /** A binding begins at a multiple of this many bytes. */
  readonly bindingStep: number;
}

/** A kernel as WGSL and how to dispatch it. */
export interface Shader {
  readonly code: string;
  /** Workgroups in x and y. */
  readonly grid: readonly [number, number];
  /** Position in the kernel's buffers of one that must be zeroed before the dispatch. */
  readonly clear: number | undefined;
  /** Whether the scalar buffer is bound, after the kernel's own buffers. */
  readonly scalars: boolean;
}

/** `ceil(a / b)`. */
export function ceilDiv(a: number, b: number): number {
  return Math.ceil(a / b);
}

/**
 * Folds a number of workgroups over x and y, neither above `max`. Two dimensions always do: WebGPU guarantees
 * 65,535² workgroups, more than a buffer has elements.
 */
export function foldGrid(groups: number, max: number): [number, number] {
  const y = ceilDiv(groups, max);
  if (y > max)
    throw new DeviceError(
      `webgpu: ${groups} workgroups are more than this device's ${max} in each of two dimensions`,
    );
  return [ceilDiv(groups, y), y];
}
