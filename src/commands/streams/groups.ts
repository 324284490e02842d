/**
 * XGROUP: consumer groups are made, rewound and destroyed, and consumers with them.
 *
 * The idea to hold: what happens to a group changes no entry, so WATCH and client-side caching do not see it; only a stream
 * that MKSTREAM brings into being is news to them.
 */
import * as Either from "effect/Either"
import { flat } from "../../bytes/Bytes.ts"
import * as Reply from "../../codec/Reply.ts"
import { ok, zero } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { type CommandError, WrongForm } from "../../errors/CommandError.ts"
import { BusyGroup, InvalidGroupArgument, InvalidStreamId, NoGroup } from "../../errors/StreamErrors.ts"
import type { Database } from "../../store/Database.ts"
import { EventClass } from "../../store/Events.ts"
import { Stream } from "../../store/Stream.ts"
import { Group } from "../../store/StreamGroup.ts"
import type { U64 } from "../../store/StreamId.ts"
import * as Id from "../../store/StreamId.ts"
import { parseLoose, parseStrict } from "./ids.ts"

interface Options {
  readonly makeStream: boolean
  readonly entriesRead: U64 | undefined
}

/** MKSTREAM and ENTRIESREAD, where `create` says whether the first is known. */
const takeOptions = (args: Args, create: boolean): Options => {
  let makeStream = false
  let entriesRead: U64 | undefined
  while (args.more) {
    if (create && args.option("MKSTREAM")) makeStream = true
    else if (args.optionWith("ENTRIESREAD", 1)) {
      const value = args.int64()
      if (value < -1) args.fail(InvalidGroupArgument.entriesRead)
      entriesRead = value === -1 ? undefined : value
    } else args.fail(WrongForm.of("XGROUP", args.argv[1]!))
  }
  return { makeStream, entriesRead }
}

const findStream = (db: Database, key: string): Either.Either<Stream, CommandError> => {
  const found = db.writeAs(key, Stream)
  if (Either.isLeft(found)) return Either.left(found.left)
  return found.right === undefined ? Either.left(InvalidGroupArgument.keyRequired) : Either.right(found.right)
}

const findGroup = (db: Database, key: string, name: string): Either.Either<readonly [Stream, Group], CommandError> =>
  Either.flatMap(findStream(db, key), (stream) => {
    const group = stream.groups.get(name)
    return group === undefined ? Either.left(NoGroup.named(key, name)) : Either.right([stream, group] as const)
  })

/** A change to a group, which leaves the entries as they are. */
const announce = (db: Database, key: string, event: string): void => {
  db.touched()
  db.notify(EventClass.stream, event, key)
}

/** Words of the longest request with one of each option. */
const createWordsMax = 8
const setIdWords = [5, 7]

const create = Command.make({
  name: "xgroup|create",
  summary: "Create a consumer group.",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1)",
  history: [["7.0.0", "Added the `entries_read` named argument."]],
  arity: -5,
  flags: "write denyoom",
  acl: "stream",
  keys: [Key.at(2, "RW insert")],
  args: [
    Arg.key("key"),
    Arg.string("groupname"),
    Arg.oneOf("id", [Arg.string("id"), Arg.token("$", { name: "new_id" })]),
    Arg.token("MKSTREAM", { optional: true }),
    Arg.integer("entries_read", { token: "ENTRIESREAD", optional: true }),
  ],
  parse: (args) => ({ key: args.key(), name: args.next(), text: args.next(), ...takeOptions(args, true) }),
  run: ({ key, name, text, makeStream, entriesRead }, { db, argv }) => {
    const found = db.writeAs(key, Stream)
    if (Either.isLeft(found)) return Either.left(found.left)
    const known = found.right
    if (known === undefined && !makeStream) return Either.left(InvalidGroupArgument.keyRequired)
    if (argv.length > createWordsMax) return Either.left(WrongForm.of("XGROUP", argv[1]!))
    const id = text === "$" ? (known?.lastId ?? Id.zero) : parseStrict(text)
    if (id === undefined) return Either.left(InvalidStreamId.error)
    const stream = known ?? new Stream()
    if (stream.groups.has(name)) return Either.left(BusyGroup.error)
    const group = new Group(flat(name), id, entriesRead)
    stream.groups.set(group.name, group)
    if (known === undefined) {
      db.put(key, stream)
      db.changed(key, EventClass.stream, "xgroup-create")
    } else announce(db, key, "xgroup-create")
    return ok
  },
})

const setId = Command.make({
  name: "xgroup|setid",
  summary: "Set a consumer group to an arbitrary last delivered ID value.",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1)",
  history: [["7.0.0", "Added the optional `entries_read` argument."]],
  arity: -5,
  flags: "write",
  acl: "stream",
  keys: [Key.at(2, "RW update")],
  args: [
    Arg.key("key"),
    Arg.string("groupname"),
    Arg.oneOf("id", [Arg.string("id"), Arg.token("$", { name: "new_id" })]),
    Arg.integer("entries_read", { token: "ENTRIESREAD", optional: true }),
  ],
  parse: (args) => ({ key: args.key(), name: args.next(), text: args.next(), ...takeOptions(args, false) }),
  run: ({ key, name, text, entriesRead }, { db, argv }) => {
    const found = findGroup(db, key, name)
    if (Either.isLeft(found)) return Either.left(found.left)
    const [stream, group] = found.right
    if (!setIdWords.includes(argv.length)) return Either.left(WrongForm.of("XGROUP", argv[1]!))
    const id = text === "$" ? stream.lastId : parseLoose(text)
    if (id === undefined) return Either.left(InvalidStreamId.error)
    group.lastId = id
    group.entriesRead = entriesRead
    announce(db, key, "xgroup-setid")
    return ok
  },
})

const destroy = Command.make({
  name: "xgroup|destroy",
  summary: "Destroy a consumer group.",
  since: "5.0.0",
  group: "stream",
  complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).",
  arity: 4,
  flags: "write",
  acl: "stream",
  keys: [Key.at(2, "RW delete")],
  args: [Arg.key("key"), Arg.string("groupname")],
  parse: (args) => ({ key: args.key(), name: args.next() }),
  run: ({ key, name }, { db }) => {
    const found = findStream(db, key)
    if (Either.isLeft(found)) return Either.left(found.left)
    if (!found.right.groups.delete(name)) return zero
    announce(db, key, "xgroup-destroy")
    // Those who wait as consumers of the group get an error.
    db.ready(key)
    return Either.right(Reply.one)
  },
})

const createConsumer = Command.make({
  name: "xgroup|createconsumer",
  summary: "Create a consumer in a consumer group.",
  since: "6.2.0",
  group: "stream",
  complexity: "O(1)",
  arity: 5,
  flags: "write denyoom",
  acl: "stream",
  keys: [Key.at(2, "RW insert")],
  args: [Arg.key("key"), Arg.string("groupname"), Arg.string("consumername")],
  parse: (args) => ({ key: args.key(), name: args.next(), consumer: args.next() }),
  run: ({ key, name, consumer }, { db, now }) => {
    const found = findGroup(db, key, name)
    if (Either.isLeft(found)) return Either.left(found.left)
    const group = found.right[1]
    if (group.consumers.has(consumer)) return zero
    group.addConsumer(flat(consumer), now)
    announce(db, key, "xgroup-createconsumer")
    return Either.right(Reply.one)
  },
})

const deleteConsumer = Command.make({
  name: "xgroup|delconsumer",
  summary: "Delete a consumer from a consumer group.",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1)",
  arity: 5,
  flags: "write",
  acl: "stream",
  keys: [Key.at(2, "RW delete")],
  args: [Arg.key("key"), Arg.string("groupname"), Arg.string("consumername")],
  parse: (args) => ({ key: args.key(), name: args.next(), consumer: args.next() }),
  run: ({ key, name, consumer }, { db }) => {
    const found = findGroup(db, key, name)
    if (Either.isLeft(found)) return Either.left(found.left)
    const group = found.right[1]
    const known = group.consumers.get(consumer)
    if (known === undefined) return zero
    const pending = known.pending.size
    group.removeConsumer(known)
    announce(db, key, "xgroup-delconsumer")
    return Either.right(Reply.int(pending))
  },
})

const helpLines = [
  "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "CREATE <key> <groupname> <id|$> [option]",
  "    Create a new consumer group. Options are:",
  "    * MKSTREAM",
  "      Create the empty stream if it does not exist.",
  "    * ENTRIESREAD entries_read",
  "      Set the group's entries_read counter (internal use).",
  "CREATECONSUMER <key> <groupname> <consumer>",
  "    Create a new consumer in the specified group.",
  "DELCONSUMER <key> <groupname> <consumer>",
  "    Remove the specified consumer.",
  "DESTROY <key> <groupname>",
  "    Remove the specified group.",
  "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
  "    Set the current group ID and entries_read counter.",
  "HELP",
  "    Prints this help.",
]

const help = Command.make({
  name: "xgroup|help",
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

export const xgroup = Command.container({
  name: "xgroup",
  summary: "A container for consumer groups commands",
  since: "5.0.0",
  group: "stream",
  complexity: "Depends on subcommand.",
  arity: -2,
  flags: "",
  subcommands: [destroy, deleteConsumer, create, setId, createConsumer, help],
})
