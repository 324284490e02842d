/** The clause `FIELDS numfields field ...` with which the commands on deadlines of fields end. */
import type { Args } from "../../command/Args.ts"
import type { CommandError } from "../../errors/CommandError.ts"
import { InvalidFields } from "../../errors/HashErrors.ts"

/** The fields a request names, to its end; `error` when their number is none. */
export const parseFields = (args: Args, error: CommandError): ReadonlyArray<string> => {
  if (!args.option("FIELDS")) args.fail(InvalidFields.missing)
  const count = args.intIn(1, Number.MAX_SAFE_INTEGER, error, error)
  if (count !== args.left) args.fail(InvalidFields.mismatch)
  return args.rest()
}
