/**
 * Memory for long values, used again: what comes fresh from the system costs a page fault for every 4 KiB, 650 of them for a SET of 1 MiB.
 *
 * The idea to hold: sizes come in classes, eight to a doubling, so that values of about one length find each other's memory and at most
 * an eighth of it is unused. Nobody is obliged to give anything back: the collector takes what is forgotten.
 * The invariant: whoever gives memory back is the last one who knows it.
 */

/** Lent out beyond what was asked for, so that the line end after a value and the beginning of the next request find room. */
const spareBytes = 128
/** Eight classes to a doubling: an exponent of two. */
const doublingBits = 3

/** At most so much lies here unused; then all of it is forgotten, since the lengths that are asked for may have changed. */
const keptBytesMax = 16 * 1024 * 1024

const kept = new Map<number, Array<Buffer>>()
let keptBytes = 0

const sizeFor = (length: number): number => {
  const step = 1 << Math.max(0, 31 - Math.clz32(length) - doublingBits)
  return Math.ceil(length / step) * step + spareBytes
}

/** At least `length` bytes and some more, of any content. */
export const take = (length: number): Buffer => {
  const size = sizeFor(length)
  const buffer = kept.get(size)?.pop()
  if (buffer === undefined) return Buffer.allocUnsafeSlow(size)
  keptBytes -= size
  return buffer
}

/** Takes back what `take` gave; anything else is ignored. */
export const give = (buffer: Buffer): void => {
  const size = buffer.length
  if (size <= spareBytes || size > keptBytesMax || size !== buffer.buffer.byteLength) return
  if (sizeFor(size - spareBytes) !== size) return
  if (keptBytes + size > keptBytesMax) {
    kept.clear()
    keptBytes = 0
  }
  keptBytes += size
  const list = kept.get(size)
  if (list === undefined) kept.set(size, [buffer])
  else list.push(buffer)
}
