/** The errors of the bitmap commands beyond the common ones. */
import { CommandError } from "./CommandError.ts"

/** A bit offset is not a number, is negative, or lies beyond the longest string. */
export class BitOffset extends CommandError("BitOffset", "ERR") {
  static readonly error = new BitOffset("bit offset is not an integer or out of range")
}

/** A bit is neither 0 nor 1. SETBIT and BITPOS word it differently. */
export class NotABit extends CommandError("NotABit", "ERR") {
  static readonly set = new NotABit("bit is not an integer or out of range")
  static readonly find = new NotABit("The bit argument must be 1 or 0.")
}

/** BITOP NOT has one source. */
export class SingleSource extends CommandError("SingleSource", "ERR") {
  static readonly error = new SingleSource("BITOP NOT must be called with a single source key.")
}

/** BITFIELD's words for types and overflow, and what BITFIELD_RO refuses. */
export class BitField extends CommandError("BitField", "ERR") {
  static readonly type = new BitField(
    "Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
  )
  static readonly overflow = new BitField("Invalid OVERFLOW type specified")
  static readonly readonly = new BitField("BITFIELD_RO only supports the GET subcommand")
}
