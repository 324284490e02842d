/**
 * Bit offsets and ranges as the bitmap commands read them.
 *
 * The idea to hold: the longest string bounds an offset, so that no bit command can ask for more memory than a string may
 * have; `#n` means the n-th field of a width, and wraps around at 64 bits as it does in Redis.
 */
import { parseInteger } from "../../bytes/Numbers.ts"
import { BitOffset } from "../../errors/BitmapErrors.ts"
import type { Limits } from "../../store/Value.ts"

/** The offset in bits that `word` names. `width` is given where the form `#n` is allowed. Throws `BitOffset`. */
export const bitOffset = (word: string, limits: Limits, width = 0): number => {
  const counted = width > 0 && word.charCodeAt(0) === 35
  const parsed = parseInteger(counted ? word.slice(1) : word)
  if (parsed === undefined) throw BitOffset.error
  const offset = counted ? times(parsed, width) : parsed
  if (offset < 0 || offset >= limits.protoMaxBulkLen * 8) throw BitOffset.error
  return Number(offset)
}

const times = (index: number | bigint, width: number): number | bigint =>
  typeof index === "number" && index < 2 ** 46 && index >= 0
    ? index * width
    : BigInt.asIntN(64, BigInt(index) * BigInt(width))

/** An index into `length` elements: negative ones count from the end, and what lies before the start is the start. */
export const fromStart = (index: number | bigint, length: number): number => {
  // Beyond 2^53 every index is far outside of any string, and stays so when rounded.
  const position = index < 0 ? Number(index) + length : Number(index)
  return position < 0 ? 0 : position
}
