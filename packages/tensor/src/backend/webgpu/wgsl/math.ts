/**
 * @file The functions behind elementwise ops that WGSL lacks or leaves too inexact. A compiler of WGSL may
 * reassociate sums, fuse, and assume that there is no NaN and no infinity: special values are
 * therefore told by their bits, and small results come from polynomials, never from (1 + x) − 1.
 * Coefficients are those of `backend/wasm/transcendental.ts` and `trigonometry.ts`.
 */

/** A function that kernels may call. */
export interface Helper {
  readonly name: string;
  readonly text: string;
}

/** Horner's rule as text; coefficients from the lowest power. */
function horner(x: string, coefficients: readonly number[]): string {
  return coefficients
    .map((c) => `${Math.fround(c)}f`)
    .reduceRight((sum, c) => `(${c} + ${x} * ${sum})`);
}

/** An odd function as x·P(x²)/Q(x²), ±1 beyond ±limit. */
function oddRational(
  name: string,
  limit: number,
  top: readonly number[],
  bottom: readonly number[],
): Helper {
  return {
    name,
    text: `fn ${name}(x: f32) -> f32 {
  let a = clamp(x, -${limit}, ${limit});
  let z = a * a;
  let ratio = clamp(a * ${horner('z', top)} / ${horner('z', bottom)}, -1.0, 1.0);
  return select(ratio, x, camada_is_nan(x));
}`,
  };
}

/** By name; a caller stands before what it calls. */
export const MATH: readonly Helper[] = [
  oddRational(
    'camada_tanh',
    9.4,
    [
      0.9999999795330845, 0.1338102573938762, 0.0034955881388286057, 0.000020609079793845253,
      1.3354652961190427e-8,
    ],
    [1, 0.4671434135540852, 0.025876982478491673, 0.0003285634713140916, 7.776555908274857e-7],
  ),
  oddRational(
    'camada_erf',
    4.1,
    [
      1.1283791394103433, 0.1935374013575783, 0.053100736034722505, 0.00388302313516081,
      0.00028455986618160527, 0.000001986851220839572,
    ],
    [
      1, 0.5048506129192689, 0.11534683811759151, 0.015206598979158482, 0.001185496121356393,
      0.00003742058656247936,
    ],
  ),
  {
    name: 'camada_erfc',
    // erfc a = e^(-a²)·t·P(t), t = 1/(1 + 0.4 a); of a² the 12 leading bits of a, whose square is exact, and the rest.
    text: `fn camada_erfc(x: f32) -> f32 {
  let a = min(abs(x), 10.125);
  let head = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
  let rest = (a - head) * (a + head);
  let t = 1.0 / (1.0 + 0.4 * a);
  let scaled = t * ${horner('t', [0.225706224, 0.2249653326, 0.2148085828, 0.1301949198, 0.2705768234, -0.281594189, 0.5441046308, -0.4963158003, 0.1969526842, -0.02939920034])};
  let tail = exp(-head * head) * ${horner('rest', [1, -1, 1 / 2, -1 / 6, 1 / 24, -1 / 120])} * scaled;
  return select(select(tail, 2.0 - tail, x < 0.0), x, camada_is_nan(x));
}`,
  },
  {
    name: 'camada_expm1',
    // Taylor's series below 1/2, where the difference would cancel.
    text: `fn camada_expm1(x: f32) -> f32 {
  let r = clamp(x, -0.5, 0.5);
  let small = r + r * r * ${horner('r', [1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320])};
  return select(camada_exp(x) - 1.0, small, abs(x) < 0.5);
}`,
  },
  {
    name: 'camada_exp',
    text: `fn camada_exp(x: f32) -> f32 {
  return select(exp(x), x, camada_is_nan(x));
}`,
  },
  {
    name: 'camada_exp2',
    text: `fn camada_exp2(x: f32) -> f32 {
  return select(exp2(x), x, camada_is_nan(x));
}`,
  },
  {
    name: 'camada_log1p',
    text: `fn camada_log1p(x: f32) -> f32 {
  return camada_log_edges(1.0 + x, select(log(1.0 + x), camada_log_near(x), camada_is_near(x)));
}`,
  },
  {
    name: 'camada_log',
    // WGSL's own logarithm is only exact to 2^-21 around 1.
    text: `fn camada_log(x: f32) -> f32 {
  let f = x - 1.0;
  return camada_log_edges(x, select(log(x), camada_log_near(f), camada_is_near(f)));
}`,
  },
  {
    name: 'camada_log2',
    text: `fn camada_log2(x: f32) -> f32 {
  let f = x - 1.0;
  return camada_log_edges(x, select(log2(x), camada_log_near(f) * 1.44269504f, camada_is_near(f)));
}`,
  },
  {
    name: 'camada_log_near',
    // log(1 + f) between sqrt(1/2) - 1 and sqrt(2) - 1 (the form of Cephes' logf).
    text: `fn camada_log_near(x: f32) -> f32 {
  let f = clamp(x, -0.3, 0.42);
  return f + f * f * (-0.5 + f * ${horner('f', [3.3333331174e-1, -2.4999993993e-1, 2.0000714765e-1, -1.6668057665e-1, 1.4249322787e-1, -1.242014084e-1, 1.167699874e-1, -1.151461031e-1, 7.0376836292e-2])});
}`,
  },
  {
    name: 'camada_is_near',
    text: `fn camada_is_near(f: f32) -> bool { return f > -0.2928932f && f < 0.41421357f; }`,
  },
  {
    name: 'camada_log_edges',
    // A logarithm of x: NaN below 0, -inf at 0, x itself where that is NaN or infinite.
    text: `fn camada_log_edges(x: f32, value: f32) -> f32 {
  let word = bitcast<u32>(x);
  if ((word & 0x7fffffffu) == 0u) { return -camada_inf(); }
  if ((word & 0x7fffffffu) > 0x7f800000u || word == 0x7f800000u) { return x; }
  return select(value, camada_nan(), x < 0.0);
}`,
  },
  {
    name: 'camada_sin',
    // WGSL only promises an error of 2^-11 within one turn: reduce by multiples of pi first.
    text: `fn camada_sin(x: f32) -> f32 {
  let k = round(x * 0.31830988618f);
  return camada_half_turn(x, k, k, 0u);
}`,
  },
  {
    name: 'camada_cos',
    text: `fn camada_cos(x: f32) -> f32 {
  let k = round(x * 0.31830988618f - 0.5);
  return -camada_half_turn(x, k + 0.5, k, 3u);
}`,
  },
  {
    name: 'camada_half_turn',
    // (-1)^k sin(x - turns pi): pi in three parts after Cody and Waite, then Taylor's series to x^11. Large angles
    // are sin(x + quarter pi/2).
    text: `fn camada_half_turn(x: f32, turns: f32, k: f32, quarter: u32) -> f32 {
  if (!camada_is_finite(x)) { return camada_nan(); }
  var r = ((x - turns * 3.140625f) - turns * 9.67502593994140625e-4f) - turns * 1.509957990978376432e-7f;
  var negative = abs(k - 2.0 * floor(k * 0.5)) > 0.5;
  if (abs(x) > 32768.0) {
    let left = camada_large_angle(x);
    let q = u32(left.y) + quarter;
    r = select(left.x, 1.5707963267949f - abs(left.x), (q & 1u) != 0u);
    negative = (q & 2u) != 0u;
  }
  let s = r * r;
  let sine = r + r * s * (-0.16666666667f + s * (0.0083333333333f + s * (-0.00019841269841f
    + s * (0.0000027557319224f + s * -0.000000025052108385f))));
  return select(sine, -sine, negative);
}`,
  },
  {
    name: 'camada_large_angle',
    // What is left of x and the number of quarter turns modulo 4: the 24 bits of x times those 96 bits of 2/pi that
    // matter (Payne and Hanek, SIGNUM 18, 1983), in fixed point with two bits before it.
    text: `const camada_two_over_pi = array<u32, 8>(0u, 0x28be60dbu, 0x9391054au, 0x7f09d5f4u, 0x7d4d3770u, 0x36d8a566u,
  0x4f10e410u, 0x7f9458eau);
fn camada_large_angle(x: f32) -> vec2<f32> {
  let word = bitcast<u32>(x);
  let digits = (word << 8u) | 0x80000000u;
  let exponent = ((word >> 23u) & 0xffu) - 126u;
  let at = exponent >> 5u;
  let shift = exponent & 31u;
  var bits = array<u32, 3>();
  for (var i = 0u; i < 3u; i++) {
    let next = select(0u, camada_two_over_pi[at + i + 1u] >> (32u - max(shift, 1u)), shift > 0u);
    bits[i] = (camada_two_over_pi[at + i] << shift) | next;
  }
  let middle = digits * bits[1];
  let low = middle + camada_high_word(digits, bits[2]);
  let carry = select(0u, 1u, low < middle);
  let high = digits * bits[0] + camada_high_word(digits, bits[1]) + carry;
  let rest = f32(i32(high << 2u) >> 2u) * 4294967296.0 + f32(low);
  let angle = rest * (1.5707963267949f * 2.168404344971009e-19f);
  let turns = (high >> 30u) + ((high >> 29u) & 1u);
  if ((word >> 31u) != 0u) { return vec2<f32>(-angle, f32((4u - turns) & 3u)); }
  return vec2<f32>(angle, f32(turns & 3u));
}`,
  },
  {
    name: 'camada_high_word',
    // The upper word of a product, of 16-bit halves.
    text: `fn camada_high_word(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu; let ah = a >> 16u;
  let bl = b & 0xffffu; let bh = b >> 16u;
  let mid = ah * bl + ((al * bl) >> 16u);
  let rest = al * bh + (mid & 0xffffu);
  return ah * bh + (mid >> 16u) + (rest >> 16u);
}`,
  },
  {
    name: 'camada_atan2',
    // Of the smaller over the larger size, then mirrored at the diagonal and the axes.
    text: `fn camada_atan2(y: f32, x: f32) -> f32 {
  if (camada_is_nan(x)) { return x; }
  if (camada_is_nan(y)) { return y; }
  let a = abs(x); let b = abs(y);
  let large = max(a, b);
  var t = min(a, b) / large;
  if (large == 0.0) { t = 0.0; }
  if (!camada_is_finite(large)) { t = select(0.0, 1.0, a == b); }
  let z = t * t;
  let near = t + t * z * ${horner('z', [-0.3333315273, 0.1999377264, -0.1421105368, 0.1066599815, -0.07552200284, 0.04321169424, -0.01636782503, 0.002920666404])};
  let half = select(near, 1.5707963267949f - near, b > a);
  let whole = select(half, 3.1415926535898f - half, (bitcast<u32>(x) >> 31u) != 0u);
  return camada_copysign(whole, y);
}`,
  },
  {
    name: 'camada_copysign',
    text: `fn camada_copysign(x: f32, y: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(x) & 0x7fffffffu) | (bitcast<u32>(y) & 0x80000000u));
}`,
  },
  {
    name: 'camada_pow',
    // WGSL leaves negative bases undefined and may compute 0 * inf for a base of 0.
    text: `fn camada_pow(x: f32, y: f32) -> f32 {
  if (y == 0.0 || x == 1.0) { return 1.0; }
  if (camada_is_nan(x)) { return x; }
  if (camada_is_nan(y)) { return y; }
  let a = abs(x);
  let even = floor(y * 0.5) * 2.0 == y;
  let whole = even || floor(y) == y;
  if (x < 0.0 && !whole && camada_is_finite(x)) { return camada_nan(); }
  var size = pow(a, y);
  if (!camada_is_finite(y)) { size = select(0.0, camada_inf(), (a > 1.0) == (y > 0.0)); }
  if (a == 0.0 || !camada_is_finite(a)) { size = select(camada_inf(), 0.0, (a == 0.0) == (y > 0.0)); }
  if (a == 1.0) { size = 1.0; }
  return select(size, -size, whole && !even && (bitcast<u32>(x) >> 31u) != 0u);
}`,
  },
  {
    name: 'camada_fmod',
    // Long division of the significands, eight bits of quotient at a time: exact.
    text: `fn camada_fmod(x: f32, y: f32) -> f32 {
  let a = bitcast<u32>(x) & 0x7fffffffu; let b = bitcast<u32>(y) & 0x7fffffffu;
  if (a >= 0x7f800000u || b > 0x7f800000u || b == 0u) { return camada_nan(); }
  if (a < b) { return x; }
  let low = max(b >> 23u, 1u);
  let divisor = select(b, (b & 0x7fffffu) | 0x800000u, b >= 0x800000u);
  var left = max(a >> 23u, 1u) - low;
  var rest = select(a, (a & 0x7fffffu) | 0x800000u, a >= 0x800000u) % divisor;
  while (left > 0u) {
    let step = min(left, 8u);
    rest = (rest << step) % divisor;
    left -= step;
  }
  var word = 0u;
  if (rest != 0u) {
    let shift = countLeadingZeros(rest) - 8u;
    word = select(rest << (low - 1u), ((low - shift) << 23u) | ((rest << shift) & 0x7fffffu), low > shift);
  }
  return bitcast<f32>(word | (bitcast<u32>(x) & 0x80000000u));
}`,
  },
  {
    name: 'camada_floor_i32',
    text: `fn camada_floor_i32(x: i32, y: i32) -> i32 {
  if (y == 0) { return 0; }
  let quotient = x / y;
  let rest = x - quotient * y;
  return select(quotient, quotient - 1, rest != 0 && (rest < 0) != (y < 0));
}`,
  },
  {
    name: 'camada_floor_u32',
    text: `fn camada_floor_u32(x: u32, y: u32) -> u32 {
  if (y == 0u) { return 0u; }
  return x / y;
}`,
  },
  {
    name: 'camada_to_i32',
    // WGSL stops at the largest f32 below 2^31 and says nothing of NaN.
    text: `fn camada_to_i32(x: f32) -> i32 {
  if (camada_is_nan(x)) { return 0; }
  return select(i32(x), 2147483647, x >= 2147483648.0);
}`,
  },
  {
    name: 'camada_to_u32',
    text: `fn camada_to_u32(x: f32) -> u32 {
  if (camada_is_nan(x)) { return 0u; }
  return select(u32(max(x, 0.0)), 4294967295u, x >= 4294967296.0);
}`,
  },
  {
    name: 'camada_to_bool',
    text: `fn camada_to_bool(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) != 0u;
}`,
  },
  {
    name: 'camada_from_u32',
    // Some drivers round twice; of two exact halves only the sum rounds.
    text: `fn camada_from_u32(x: u32) -> f32 {
  return f32(x >> 16u) * 65536.0 + f32(x & 0xffffu);
}`,
  },
  {
    name: 'camada_times_zero',
    text: `fn camada_times_zero(x: f32) -> f32 {
  return select(camada_nan(), 0.0, camada_is_finite(x));
}`,
  },
  {
    name: 'camada_is_finite',
    text: `fn camada_is_finite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u;
}`,
  },
];
