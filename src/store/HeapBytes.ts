/** What V8 takes for strings, for the estimates of store/Memory.ts. */

/** A string of `length` bytes: its header, and the bytes rounded to words. */
export const stringBytes = (length: number): number => 16 + ((length + 7) & ~7)

/** The same as one of many in an array: the rounding on average, and the reference. */
export const elementBytes = (length: number): number => 28 + length
