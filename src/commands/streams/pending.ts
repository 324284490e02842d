/** What consumers were given and have not acknowledged: XPENDING looks at it, XACK ends it. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Answers from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { SyntaxError } from "../../errors/CommandError.ts"
import { InvalidStreamId } from "../../errors/StreamErrors.ts"
import { Stream } from "../../store/Stream.ts"
import type { Group } from "../../store/StreamGroup.ts"
import type { StreamId } from "../../store/StreamId.ts"
import * as Id from "../../store/StreamId.ts"
import { findGroup } from "./claiming.ts"
import { endOf, parseStrict, startOf } from "./ids.ts"
import * as Replies from "./replies.ts"

const xack = Command.make({
  name: "xack",
  summary:
    "Marks a pending message as correctly processed, effectively removing it from the pending entries list of the consumer group. Return value of the command is the number of messages successfully acknowledged, that is, the IDs we were actually able to resolve in the PEL.",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1) for each message ID processed.",
  arity: -4,
  flags: "write fast",
  acl: "stream",
  keys: [Key.at(1, "RW update")],
  args: [Arg.key("key"), Arg.string("group"), Arg.string("id", { multiple: true })],
  parse: (args) => ({ key: args.key(), groupName: args.next(), words: args.rest() }),
  run: ({ key, groupName, words }, { db }) => {
    const found = db.readAs(key, Stream)
    if (Either.isLeft(found)) return Either.left(found.left)
    const group = found.right?.groups.get(groupName)
    if (group === undefined) return Answers.zero
    const ids: Array<StreamId> = []
    for (const word of words) {
      const id = parseStrict(word)
      if (id === undefined) return Either.left(InvalidStreamId.error)
      ids.push(id)
    }
    db.write(key)
    let acknowledged = 0
    for (const id of ids) if (group.acknowledge(id)) acknowledged++
    db.touched(acknowledged)
    return Either.right(Reply.int(acknowledged))
  },
})

interface Filter {
  readonly minIdleMs: number
  readonly start: StreamId
  readonly end: StreamId
  readonly count: number
  readonly consumer: string | undefined
}

/** The words after the group: none, or `[IDLE ms] start end count [consumer]`. */
const takeFilter = (args: Args): Filter | undefined => {
  if (!args.more) return undefined
  if (args.left < 3 || args.left > 6) args.fail(SyntaxError.error)
  let minIdleMs = 0
  if (args.option("IDLE")) {
    minIdleMs = args.int()
    if (args.left < 3) args.fail(SyntaxError.error)
  }
  const from = args.next()
  const to = args.next()
  const count = Math.max(0, args.int())
  const start = startOf(from)
  const end = endOf(to)
  // What follows the consumer is not looked at, as Redis does not.
  return { minIdleMs, start, end, count, consumer: args.rest()[0] }
}

/** How many are pending, between which ids, and how many of them each consumer has. */
const summarize = (group: Group): Reply.Reply => {
  const { pending } = group
  const first = pending.first()
  const last = pending.last()
  if (first === undefined || last === undefined) return Reply.array([Reply.zero, Reply.nil, Reply.nil, Reply.nilArray])
  const consumers: Array<Reply.Reply> = []
  for (const consumer of group.sortedConsumers()) {
    if (consumer.pending.size > 0) consumers.push(Reply.bulks([consumer.name, String(consumer.pending.size)]))
  }
  return Reply.array([Reply.int(pending.size), Replies.id(first), Replies.id(last), Reply.array(consumers)])
}

const list = (group: Group, { minIdleMs, start, end, count, consumer }: Filter, now: number): Reply.Reply => {
  const pending = consumer === undefined ? group.pending : group.consumers.get(consumer)?.pending
  const found: Array<Reply.Reply> = []
  let next = pending?.atLeast(start)
  while (next !== undefined && found.length < count && Id.compare(next, end) <= 0) {
    const idleMs = now - next.deliveredMs
    if (minIdleMs === 0 || idleMs >= minIdleMs) {
      found.push(
        Reply.array([
          Replies.id(next),
          Reply.bulk(next.consumer.name),
          Reply.int(Math.max(0, idleMs)),
          Reply.int(next.deliveries),
        ]),
      )
    }
    next = pending!.after(next)
  }
  return Reply.array(found)
}

const xpending = Command.make({
  name: "xpending",
  summary:
    "Return information and entries from a stream consumer group pending entries list, that are messages fetched but never acknowledged.",
  since: "5.0.0",
  group: "stream",
  complexity:
    "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional O(N) time for iterating every consumer.",
  history: [["6.2.0", "Added the `IDLE` option and exclusive range intervals."]],
  arity: -3,
  flags: "readonly",
  acl: "stream",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.string("group"),
    Arg.block(
      "filters",
      [
        Arg.integer("min-idle-time", { token: "IDLE", optional: true, since: "6.2.0" }),
        Arg.string("start"),
        Arg.string("end"),
        Arg.integer("count"),
        Arg.string("consumer", { optional: true }),
      ],
      { optional: true },
    ),
  ],
  parse: (args) => ({ key: args.key(), groupName: args.next(), filter: takeFilter(args) }),
  run: ({ key, groupName, filter }, ctx) =>
    Either.map(findGroup(ctx, key, groupName), ({ group }) =>
      filter === undefined ? summarize(group) : list(group, filter, ctx.now),
    ),
})

export const pendingCommands = [xack, xpending]
