/** The errors of MULTI, EXEC, DISCARD and WATCH. */
import { CommandError } from "./CommandError.ts"

/** A transaction command at a place where it makes no sense. */
export class TransactionError extends CommandError("TransactionError", "ERR") {
  static readonly nested = new TransactionError("MULTI calls can not be nested")
  static readonly execWithoutMulti = new TransactionError("EXEC without MULTI")
  static readonly discardWithoutMulti = new TransactionError("DISCARD without MULTI")
  static readonly watchInMulti = new TransactionError("WATCH inside MULTI is not allowed")
}
