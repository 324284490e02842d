/** What list commands refuse beyond wrong types and syntax. */
import { CommandError } from "./CommandError.ts"

/** LPOS cannot search by these options. */
export class InvalidSearch extends CommandError("InvalidSearch", "ERR") {
  static readonly rank = new InvalidSearch(
    "RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
  )
  static readonly count = new InvalidSearch("COUNT can't be negative")
  static readonly maxlen = new InvalidSearch("MAXLEN can't be negative")
}

/** A count of keys or elements that must be at least 1. */
export class CountNotPositive extends CommandError("CountNotPositive", "ERR") {
  static readonly numkeys = new CountNotPositive("numkeys should be greater than 0")
  static readonly count = new CountNotPositive("count should be greater than 0")
}
