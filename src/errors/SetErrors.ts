/** What set commands refuse beyond wrong types and syntax. */
import { CommandError } from "./CommandError.ts"

/** A count, a limit or a number of keys that the command cannot use. */
export class InvalidSetCount extends CommandError("InvalidSetCount", "ERR") {
  static readonly numkeys = new InvalidSetCount("numkeys should be greater than 0")
  static readonly tooManyKeys = new InvalidSetCount("Number of keys can't be greater than number of args")
  static readonly limit = new InvalidSetCount("LIMIT can't be negative")
  static readonly random = new InvalidSetCount(
    "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
  )
}
