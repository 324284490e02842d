/** What hash commands refuse beyond wrong types and syntax. */
import { CommandError } from "./CommandError.ts"

/** The value of a field is not the number that is to be added to. */
export class FieldNotNumber extends CommandError("FieldNotNumber", "ERR") {
  static readonly integer = new FieldNotNumber("hash value is not an integer")
  static readonly float = new FieldNotNumber("hash value is not a float")
}

/** An increment without an end. */
export class InfiniteIncrement extends CommandError("InfiniteIncrement", "ERR") {
  static readonly error = new InfiniteIncrement("value is NaN or Infinity")
}

/** The clause `FIELDS numfields field ...` does not have its form. */
export class InvalidFields extends CommandError("InvalidFields", "ERR") {
  static readonly missing = new InvalidFields("Mandatory argument FIELDS is missing or not at the right position")
  static readonly count = new InvalidFields("Number of fields must be a positive integer")
  /** The same, where a deadline is set. */
  static readonly parameter = new InvalidFields("Parameter `numFields` should be greater than 0")
  static readonly mismatch = new InvalidFields("The `numfields` parameter must match the number of arguments")
}

/** The time at which a field is to go. */
export class InvalidFieldDeadline extends CommandError("InvalidFieldDeadline", "ERR") {
  static readonly negative = new InvalidFieldDeadline("invalid expire time, must be >= 0")
  static of(name: string): InvalidFieldDeadline {
    return new InvalidFieldDeadline(`invalid expire time in '${name}' command`)
  }
}
