/**
 * The answers that handlers give most, made once: an answer that says nothing new costs no object. What only one family answers
 * stands in that family.
 */
import * as Either from "effect/Either"
import * as Reply from "../codec/Reply.ts"
import { type CommandError, WrongType } from "../errors/CommandError.ts"

/** What a handler that does not wait gives. */
export type Answer = Either.Either<Reply.Reply, CommandError>

export const ok: Answer = Either.right(Reply.ok)
export const nil: Answer = Either.right(Reply.nil)
export const nilArray: Answer = Either.right(Reply.nilArray)
export const zero: Answer = Either.right(Reply.zero)
export const one: Answer = Either.right(Reply.one)
export const emptyArray: Answer = Either.right(Reply.emptyArray)
export const wrongType: Answer = Either.left(WrongType.error)
