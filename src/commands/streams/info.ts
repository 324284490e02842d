/** XINFO: a stream, its groups and their consumers seen from inside. Groups and consumers are listed by name. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import { keyword } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { parseSafeInteger } from "../../bytes/Numbers.ts"
import { type CommandError, NoSuchKey, NotInteger, WrongForm } from "../../errors/CommandError.ts"
import { NoGroup } from "../../errors/StreamErrors.ts"
import type { Database } from "../../store/Database.ts"
import { Stream } from "../../store/Stream.ts"
import type { Consumer, Group, Pending } from "../../store/StreamGroup.ts"
import * as Id from "../../store/StreamId.ts"
import type { SortedById } from "../../store/SortedById.ts"
import * as Replies from "./replies.ts"

/** How many entries and pending entries XINFO STREAM FULL shows when not told. */
const fullCount = 10

const findStream = (db: Database, key: string): Either.Either<Stream, CommandError> => {
  const found = db.readAs(key, Stream)
  if (Either.isLeft(found)) return Either.left(found.left)
  return found.right === undefined ? Either.left(NoSuchKey.error) : Either.right(found.right)
}

const intOrNil = (value: number | bigint | undefined): Reply.Reply =>
  value === undefined ? Reply.nil : Reply.int(value)

/** What both forms of XINFO STREAM begin with. */
const head = (stream: Stream): Record<string, Reply.Reply> => ({
  length: Reply.int(stream.length),
  "radix-tree-keys": Reply.int(stream.nodes.size),
  "radix-tree-nodes": Reply.int(stream.radixNodes()),
  "last-generated-id": Replies.id(stream.lastId),
  "max-deleted-entry-id": Replies.id(stream.maxDeletedId),
  "entries-added": Reply.int(stream.entriesAdded),
  "recorded-first-entry-id": Replies.id(stream.firstId),
})

const edge = (stream: Stream, last: boolean): Reply.Reply => {
  const entry = stream.walk(Id.zero, Id.max, last).next()
  return entry === undefined ? Reply.nil : Replies.entry(entry)
}

const summary = (stream: Stream): Reply.Reply =>
  Reply.record({
    ...head(stream),
    groups: Reply.int(stream.groups.size),
    "first-entry": edge(stream, false),
    "last-entry": edge(stream, true),
  })

/** The first `count` pending entries (0: all). */
const firstPending = (
  pending: SortedById<Pending>,
  count: number,
  show: (pending: Pending) => ReadonlyArray<Reply.Reply>,
): Reply.Reply => {
  const shown: Array<Reply.Reply> = []
  for (const one of pending) {
    shown.push(Reply.array(show(one)))
    if (shown.length === count) break
  }
  return Reply.array(shown)
}

// Differs: 7.0.15 does not tell when a consumer was last given something; later versions do, here and in XINFO CONSUMERS.
const fullConsumer = (consumer: Consumer, count: number): Reply.Reply =>
  Reply.record({
    name: Reply.bulk(consumer.name),
    "seen-time": Reply.int(consumer.seenMs),
    "active-time": Reply.int(consumer.activeMs),
    "pel-count": Reply.int(consumer.pending.size),
    pending: firstPending(consumer.pending, count, (one) => [
      Replies.id(one),
      Reply.int(one.deliveredMs),
      Reply.int(one.deliveries),
    ]),
  })

const fullGroup = (stream: Stream, group: Group, count: number): Reply.Reply =>
  Reply.record({
    name: Reply.bulk(group.name),
    "last-delivered-id": Replies.id(group.lastId),
    "entries-read": intOrNil(group.entriesRead),
    lag: intOrNil(group.lag(stream)),
    "pel-count": Reply.int(group.pending.size),
    pending: firstPending(group.pending, count, (one) => [
      Replies.id(one),
      Reply.bulk(one.consumer.name),
      Reply.int(one.deliveredMs),
      Reply.int(one.deliveries),
    ]),
    consumers: Reply.array(group.sortedConsumers().map((consumer) => fullConsumer(consumer, count))),
  })

const full = (stream: Stream, count: number): Reply.Reply =>
  Reply.record({
    ...head(stream),
    entries: Replies.entries(stream, Id.zero, Id.max, count),
    groups: Reply.array(stream.sortedGroups().map((group) => fullGroup(stream, group, count))),
  })

const stream = Command.make({
  name: "xinfo|stream",
  summary: "Get information about a stream",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1)",
  history: [
    ["6.0.0", "Added the `FULL` modifier."],
    [
      "7.0.0",
      "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag` fields",
    ],
  ],
  arity: -3,
  flags: "readonly",
  acl: "stream",
  keys: [Key.at(2, "RO access")],
  args: [
    Arg.key("key"),
    Arg.block("full", [Arg.integer("count", { token: "COUNT", optional: true })], { token: "FULL", optional: true }),
  ],
  parse: (args) => ({ key: args.key(), words: args.rest() }),
  run: ({ key, words }, { db, argv }) => {
    const found = findStream(db, key)
    if (Either.isLeft(found)) return Either.left(found.left)
    if (words.length === 0) return Either.right(summary(found.right))
    const known = keyword(words[0]!) === "FULL" && (words.length === 1 || keyword(words[1]!) === "COUNT")
    if (!known || words.length === 2 || words.length > 3) {
      return Either.left(WrongForm.of("XINFO", argv[1]!))
    }
    const count = words.length === 1 ? fullCount : parseSafeInteger(words[2]!)
    if (count === undefined) return Either.left(NotInteger.error)
    return Either.right(full(found.right, count < 0 ? fullCount : count))
  },
})

const groups = Command.make({
  name: "xinfo|groups",
  summary: "List the consumer groups of a stream",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1)",
  history: [["7.0.0", "Added the `entries-read` and `lag` fields"]],
  arity: 3,
  flags: "readonly",
  acl: "stream",
  keys: [Key.at(2, "RO access")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) =>
    Either.map(findStream(db, key), (stream) =>
      Reply.array(
        stream.sortedGroups().map((group) =>
          Reply.record({
            name: Reply.bulk(group.name),
            consumers: Reply.int(group.consumers.size),
            pending: Reply.int(group.pending.size),
            "last-delivered-id": Replies.id(group.lastId),
            "entries-read": intOrNil(group.entriesRead),
            lag: intOrNil(group.lag(stream)),
          }),
        ),
      ),
    ),
})

const consumers = Command.make({
  name: "xinfo|consumers",
  summary: "List the consumers in a consumer group",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1)",
  arity: 4,
  flags: "readonly",
  acl: "stream",
  tips: ["nondeterministic_output"],
  keys: [Key.at(2, "RO access")],
  args: [Arg.key("key"), Arg.string("groupname")],
  parse: (args) => ({ key: args.key(), name: args.next() }),
  run: ({ key, name }, { db, now }) =>
    Either.flatMap(findStream(db, key), (stream) => {
      const group = stream.groups.get(name)
      if (group === undefined) return Either.left(NoGroup.named(key, name))
      return Either.right(
        Reply.array(
          group.sortedConsumers().map((consumer) =>
            Reply.record({
              name: Reply.bulk(consumer.name),
              pending: Reply.int(consumer.pending.size),
              idle: Reply.int(Math.max(0, now - consumer.seenMs)),
              inactive: Reply.int(consumer.activeMs === -1 ? -1 : Math.max(0, now - consumer.activeMs)),
            }),
          ),
        ),
      )
    }),
})

const helpLines = [
  "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "CONSUMERS <key> <groupname>",
  "    Show consumers of <groupname>.",
  "GROUPS <key>",
  "    Show the stream consumer groups.",
  "STREAM <key> [FULL [COUNT <count>]",
  "    Show information about the stream.",
  "HELP",
  "    Prints this help.",
]

const help = Command.make({
  name: "xinfo|help",
  summary: "Show helpful text about the different subcommands",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1)",
  arity: 2,
  flags: "loading stale",
  acl: "stream",
  parse: () => undefined,
  run: () => Either.right(Reply.array(helpLines.map(Reply.simple))),
})

export const xinfo = Command.container({
  name: "xinfo",
  summary: "A container for stream introspection commands",
  since: "5.0.0",
  group: "stream",
  complexity: "Depends on subcommand.",
  arity: -2,
  flags: "",
  subcommands: [stream, groups, help, consumers],
})
