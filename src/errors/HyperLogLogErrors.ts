/** The errors of the HyperLogLog commands beyond the common ones. */
import { upToNul } from "../bytes/Bytes.ts"
import { CommandError } from "./CommandError.ts"

/** The key holds a string, but not one with the header of a HyperLogLog. */
export class NotHyperLogLog extends CommandError("NotHyperLogLog", "WRONGTYPE") {
  static readonly error = new NotHyperLogLog("Key is not a valid HyperLogLog string value.")
}

/** The header is right, and the registers behind it do not add up. */
export class CorruptHyperLogLog extends CommandError("CorruptHyperLogLog", "INVALIDOBJ") {
  static readonly error = new CorruptHyperLogLog("Corrupted HLL object detected")
}

/** What PFDEBUG refuses. */
export class HyperLogLogDebug extends CommandError("HyperLogLogDebug", "ERR") {
  static readonly noKey = new HyperLogLogDebug("The specified key does not exist")
  static readonly notSparse = new HyperLogLogDebug("HLL encoding is not sparse")
  static unknown(subcommand: string): HyperLogLogDebug {
    return new HyperLogLogDebug(`Unknown PFDEBUG subcommand '${upToNul(subcommand)}'`)
  }
}

/** PFSELFTEST found a fault in this server. */
export class SelfTestFailed extends CommandError("SelfTestFailed", "TESTFAILED") {}
