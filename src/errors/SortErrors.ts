/** What SORT refuses beyond wrong types and syntax. */
import { CommandError } from "./CommandError.ts"

/** An element, or what it is sorted by, is not a number. */
export class ScoreNotConvertible extends CommandError("ScoreNotConvertible", "ERR") {
  static readonly error = new ScoreNotConvertible("One or more scores can't be converted into double")
}
