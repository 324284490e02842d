/** What sorted-set and geo commands refuse beyond wrong types and syntax. */
import { CommandError } from "./CommandError.ts"

/** An end of an interval of scores or members cannot be read. */
export class InvalidRange extends CommandError("InvalidRange", "ERR") {
  static readonly score = new InvalidRange("min or max is not a float")
  static readonly member = new InvalidRange("min or max not valid string range item")
}

/** Adding to a score gave no number: infinity minus infinity. */
export class ScoreNotNumber extends CommandError("ScoreNotNumber", "ERR") {
  static readonly error = new ScoreNotNumber("resulting score is not a number (NaN)")
}

/** Options that are each right and exclude one another. */
export class IncompatibleOptions extends CommandError("IncompatibleOptions", "ERR") {
  static readonly existence = new IncompatibleOptions("XX and NX options at the same time are not compatible")
  static readonly comparison = new IncompatibleOptions("GT, LT, and/or NX options at the same time are not compatible")
  static readonly increment = new IncompatibleOptions("INCR option supports a single increment-element pair")
  static readonly limit = new IncompatibleOptions(
    "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
  )
  static readonly withScores = new IncompatibleOptions(
    "syntax error, WITHSCORES not supported in combination with BYLEX",
  )
}

/** A count, a number of keys or a weight that the command cannot use. */
export class InvalidCount extends CommandError("InvalidCount", "ERR") {
  static readonly numkeys = new InvalidCount("numkeys should be greater than 0")
  static readonly count = new InvalidCount("count should be greater than 0")
  static readonly limit = new InvalidCount("LIMIT can't be negative")
  static readonly weight = new InvalidCount("weight value is not a float")
  static readonly random = new InvalidCount(
    "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
  )
  static inputKeys(command: string): InvalidCount {
    return new InvalidCount(`at least 1 input key is needed for '${command}' command`)
  }
}
