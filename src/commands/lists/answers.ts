/** What list commands share: the answers they give most, made once, and the two ends of a list as words of a request. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import type { Args } from "../../command/Args.ts"
import { type CommandError, SyntaxError, WrongType } from "../../errors/CommandError.ts"
import type { List } from "../../store/List.ts"

export type Answer = Either.Either<Reply.Reply, CommandError>

export const ok: Answer = Either.right(Reply.ok)
export const nil: Answer = Either.right(Reply.nil)
export const nilArray: Answer = Either.right(Reply.nilArray)
export const zero: Answer = Either.right(Reply.zero)
export const empty: Answer = Either.right(Reply.emptyArray)
export const wrongType: Answer = Either.left(WrongType.error)

/** The head or the tail. */
export type End = "LEFT" | "RIGHT"

/** The next argument as an end. */
export const parseEnd = (args: Args): End =>
  args.option("LEFT") ? "LEFT" : args.option("RIGHT") ? "RIGHT" : args.fail(SyntaxError.error)

/** An index that may count from the end, as one from the start: negative when it lies before it. */
export const fromStart = (index: number, { size }: List): number => (index < 0 ? size + index : index)
