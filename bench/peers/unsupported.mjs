/** @file What a wrapper throws for arguments that the library has no word for: the case is left out. */

/** A call that the library cannot express. */
export class Unsupported extends Error {}
