/**
 * Gives memory back without waiting for a full collection of garbage, which a process whose data lies outside the heap rarely has
 * reason to run: the bytes are handed to a new object that nobody knows, and the next collection of young objects frees it.
 */

/** `array` and all views of its bytes are empty from now on. */
export const release = (array: Int32Array): void => {
  if (array.byteLength >= releasedBytesMin) structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] })
}

/** Less is left to the collector. */
const releasedBytesMin = 64 * 1024
