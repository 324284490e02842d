/**
 * Byte strings: JavaScript strings with one char (0..255) a byte, which V8 keeps in one byte a char.
 *
 * The idea to hold: arguments are cut out of the string of a whole received chunk, and V8 keeps that chunk alive behind a
 * cut of 13 or more chars. Whatever is stored goes through `flat` first.
 */

declare global {
  interface Buffer {
    /** `toString("latin1", start, end)` without its argument checks: 3x faster on short strings. */
    latin1Slice(start?: number, end?: number): string
    latin1Write(bytes: string, offset?: number, length?: number): number
  }
}

/** Cuts shorter than this are copied by V8 itself. */
const slicedLengthMin = 13
const scratch = Buffer.allocUnsafeSlow(128 * 1024)

/** Requests of clients and of a log hold longer arguments as strings of their own: see `Decoder` and `LogReader`. */
export const ownLengthMin = 64 * 1024

/** A copy of `bytes` that keeps nothing else alive. Costs about 150 ns at 32 bytes; short strings are returned as they are. */
export const flat = (bytes: string): string => {
  const length = bytes.length
  if (length < slicedLengthMin) return bytes
  const buffer = length <= scratch.length ? scratch : Buffer.allocUnsafeSlow(length)
  buffer.latin1Write(bytes, 0, length)
  return buffer.latin1Slice(0, length)
}

/** The bytes of `text` in UTF-8. */
export const fromUtf8 = (text: string): string => Buffer.from(text, "utf8").latin1Slice()

/** Reads `bytes` as UTF-8, for people: logs and file names. */
export const toUtf8 = (bytes: string): string => Buffer.from(bytes, "latin1").toString("utf8")

/** What Redis shows of a word inside of an error: it prints with C, where a string ends at its first NUL byte. */
export const upToNul = (bytes: string): string => {
  const end = bytes.indexOf("\0")
  return end < 0 ? bytes : bytes.slice(0, end)
}

/** Order of two byte strings as memcmp and then length would give it: negative, 0 or positive. */
export const compare = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)
