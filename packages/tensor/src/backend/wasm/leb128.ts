/** @file LEB128, the variable-length integers of the WebAssembly binary format (core spec 5.2.2). */

/** Appends an unsigned LEB128 number (any integer in [0, 2³²)). */
export function unsigned(to: number[], value: number): void {
  let rest = value >>> 0;
  while (rest > 0x7f) {
    to.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  to.push(rest);
}

/** Appends a signed LEB128 number of 32 bits. */
export function signed(to: number[], value: number): void {
  let rest = value | 0;
  for (;;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && !(byte & 0x40)) || (rest === -1 && byte & 0x40)) {
      to.push(byte);
      return;
    }
    to.push(byte | 0x80);
  }
}
