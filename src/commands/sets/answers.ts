/** What set commands share: the answers they give most, made once, and the shapes in which members are answered. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import type { Client } from "../../command/Client.ts"
import { type CommandError, WrongType } from "../../errors/CommandError.ts"

export type Answer = Either.Either<Reply.Reply, CommandError>

export const nil: Answer = Either.right(Reply.nil)
export const zero: Answer = Either.right(Reply.zero)
export const one: Answer = Either.right(Reply.one)
export const emptyArray: Answer = Either.right(Reply.emptyArray)
export const emptySet: Answer = Either.right(Reply.set([]))
export const wrongType: Answer = Either.left(WrongType.error)

/** Members as a set. RESP2 has none and gets the array that costs no object a member. */
export const setOf = (members: ReadonlyArray<string>, client: Client): Answer =>
  Either.right(client.protocol === 3 ? Reply.set(members.map(Reply.bulk)) : Reply.bulks(members))
