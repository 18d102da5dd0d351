/** @file Initial weights that every contender can make for itself, in JavaScript and in NumPy, to the last bit but the logarithm's. */

/** A 32-bit mixer (Mueller's; https://stackoverflow.com/a/12996028). */
function mix(x) {
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** `size` normal numbers of the given deviation: Box and Muller's, one of each pair; streams differ by `stream`. */
export function normals(size, deviation, stream) {
  const out = new Float32Array(size);
  const start = Math.imul(stream + 1, 0x9e3779b9);
  for (let i = 0; i < size; i++) {
    const u = (mix(start + 2 * i) + 0.5) / 4294967296;
    const v = mix(start + 2 * i + 1) / 4294967296;
    out[i] = deviation * Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  }
  return out;
}
