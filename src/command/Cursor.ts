/** The cursor with which a client goes on with a scan. */
import { InvalidArgument } from "../errors/CommandError.ts"

const invalid = new InvalidArgument("invalid cursor")
const limit = 2n ** 64n

/**
 * Differs: a cursor that was never given out leads somewhere else than in redis-server, since here it is a position and there the bits of a
 * bucket. The scan ends all the same.
 *
 * A cursor as redis-server reads it with C's strtoul: up to a NUL byte, nothing at all is 0, and a minus wraps around. Above 2^53
 * it is not exact, but no such cursor is ever given out. Throws the error of an invalid cursor.
 */
export const parseCursor = (word: string): number => {
  if (word === "0") return 0
  const nul = word.indexOf("\0")
  const digits = nul < 0 ? word : word.slice(0, nul)
  if (digits === "") return 0
  if (!/^[+-]?[0-9]+$/.test(digits)) throw invalid
  const cursor = BigInt(digits.replace("+", ""))
  if (cursor >= limit || cursor <= -limit) throw invalid
  return Number(BigInt.asUintN(64, cursor))
}
