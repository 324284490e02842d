/** What set commands share: the shapes in which members are answered. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import type { Answer } from "../../command/Answers.ts"
import type { Client } from "../../command/Client.ts"

export const emptySet: Answer = Either.right(Reply.set([]))

/** Members as a set. RESP2 has none and gets the array that costs no object a member. */
export const setOf = (members: ReadonlyArray<string>, client: Client): Answer =>
  Either.right(client.replyProtocol === 3 ? Reply.set(members.map(Reply.bulk)) : Reply.bulks(members))
