/** @file What would make this machine faster. */
import type { BackendInfo } from '@camada/tensor';

/** Sentences for the user, most useful first. */
export function advice({ backend, features, adapter }: BackendInfo): string[] {
  if (backend === 'reference')
    return [
      'The reference back end is for checking only; unset CAMADA_BACKEND, or use --backend wasm.',
    ];
  if (backend === 'webgpu') return webgpuAdvice(features, adapter);
  const result = [
    'A GPU with a Vulkan, Metal or Direct3D 12 driver would be used through WebGPU and be many times faster.',
  ];
  if (!features.some((feature) => /relaxed/i.test(feature)))
    result.push(
      'Node 22 or newer has relaxed SIMD (fused multiply-add), which speeds matrix products up.',
    );
  if (!features.some((feature) => /thread/i.test(feature)))
    result.push(
      'Only one thread is in use; more cores, or shared memory in the browser, would help.',
    );
  return result;
}

function webgpuAdvice(features: readonly string[], adapter: string): string[] {
  if (/swiftshader|llvmpipe|lavapipe|software/i.test(adapter))
    return [
      'This adapter is software; without a GPU, --backend wasm is three to six times faster.',
    ];
  const missing = ['subgroups', 'shader-f16'].filter((name) => !features.includes(name));
  return missing.map((name) => `The driver lacks ${name}; a newer one may have it.`);
}
