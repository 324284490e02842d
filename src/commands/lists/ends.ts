/** The two ends of a list: as words of a request, and as where an index counts from. */
import type { Args } from "../../command/Args.ts"
import { SyntaxError } from "../../errors/CommandError.ts"
import type { List } from "../../store/List.ts"

/** The head or the tail. */
export type End = "LEFT" | "RIGHT"

/** The next argument as an end. */
export const parseEnd = (args: Args): End =>
  args.option("LEFT") ? "LEFT" : args.option("RIGHT") ? "RIGHT" : args.fail(SyntaxError.error)

/** An index that may count from the end, as one from the start: negative when it lies before it. */
export const fromStart = (index: number, { size }: List): number => (index < 0 ? size + index : index)
