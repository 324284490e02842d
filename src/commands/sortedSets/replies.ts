/**
 * The shapes in which members are answered. With scores, RESP2 has one flat array and RESP3 an array of pairs, which no
 * encoder can tell from the flat one: this is where a handler looks at the client's protocol.
 */
import { formatDouble } from "../../bytes/Numbers.ts"
import * as BulkRun from "../../codec/BulkRun.ts"
import * as Reply from "../../codec/Reply.ts"
import type { Client } from "../../command/Client.ts"
import type { SortedSet } from "../../store/SortedSet.ts"

/** Collects members, with or without scores, into a reply. */
export class Entries {
  readonly #withScores: boolean
  readonly #nested: boolean
  readonly #words: Array<string> = []
  readonly #pairs: Array<Reply.Reply> = []
  constructor(client: Client, withScores: boolean) {
    this.#withScores = withScores
    this.#nested = withScores && client.replyProtocol === 3
  }

  readonly add = (member: string, score: number): void => {
    if (this.#nested) this.#pairs.push(Reply.array([Reply.bulk(member), Reply.double(score)]))
    else {
      this.#words.push(member)
      if (this.#withScores) this.#words.push(formatDouble(score))
    }
  }

  get reply(): Reply.Reply {
    if (this.#nested) return Reply.array(this.#pairs)
    return Reply.bulks(this.#words)
  }
}

/** `count` members in order from `rank`, downward when `reverse`. */
export const entriesOf = (
  set: SortedSet,
  rank: number,
  count: number,
  reverse: boolean,
  withScores: boolean,
  client: Client,
): Reply.Reply => {
  if (count <= 0) return Reply.emptyArray
  if (count >= BulkRun.manyMin && !(withScores && client.replyProtocol === 3)) {
    BulkRun.begin()
    set.visit(rank, count, reverse, (member, score) => {
      BulkRun.addText(member)
      if (withScores) BulkRun.addText(formatDouble(score))
    })
    return BulkRun.end()
  }
  const entries = new Entries(client, withScores)
  set.visit(rank, count, reverse, entries.add)
  return entries.reply
}
