/** The errors of the string commands beyond the common ones. */
import { CommandError } from "./CommandError.ts"

/** The string would become longer than proto-max-bulk-len. */
export class StringTooLong extends CommandError("StringTooLong", "ERR") {
  static readonly error = new StringTooLong("string exceeds maximum allowed size (proto-max-bulk-len)")
}

/** A sum leaves the range of the numbers it is made of. */
export class SumOutOfRange extends CommandError("SumOutOfRange", "ERR") {
  static readonly integer = new SumOutOfRange("increment or decrement would overflow")
  /** The one decrement whose opposite is no 64-bit integer. */
  static readonly decrement = new SumOutOfRange("decrement would overflow")
  static readonly float = new SumOutOfRange("increment would produce NaN or Infinity")
}

/** A time to live that is not positive, or ends beyond the last representable instant. */
export class InvalidExpireTime extends CommandError("InvalidExpireTime", "ERR") {
  static of(name: string): InvalidExpireTime {
    return new InvalidExpireTime(`invalid expire time in '${name}' command`)
  }
}

/** What LCS refuses beyond its syntax. */
export class CommonSubsequence extends CommandError("CommonSubsequence", "ERR") {
  static readonly notStrings = new CommonSubsequence("The specified keys must contain string values")
  static readonly lengthAndIndexes = new CommonSubsequence(
    "If you want both the length and indexes, please just use IDX.",
  )
  static readonly tooLarge = new CommonSubsequence(
    "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
  )
}
