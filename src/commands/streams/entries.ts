/**
 * Adding and removing entries: XADD XDEL XTRIM XLEN XSETID.
 *
 * The idea to hold: an id that the server chose is logged, not the `*` that asked for it, and a trimming by whole nodes is
 * logged as what it came to. XADD counts as one change however much it trims.
 */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import { nil, ok, zero } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { NoSuchKey, SyntaxError, WrongArity } from "../../errors/CommandError.ts"
import { CannotAppend, CannotSetId, InvalidStreamId } from "../../errors/StreamErrors.ts"
import { EventClass } from "../../store/Events.ts"
import { entryBytesMax, Stream } from "../../store/Stream.ts"
import type { StreamId, U64 } from "../../store/StreamId.ts"
import * as Id from "../../store/StreamId.ts"
import { parseAutoSequence, parseStrict, takeStrict } from "./ids.ts"
import * as Trimming from "./trimming.ts"

/** The id that XADD was asked for: one, one of these milliseconds, or any. */
type Wanted =
  | { readonly _tag: "Exact"; readonly id: StreamId }
  | { readonly _tag: "Sequence"; readonly ms: U64 }
  | { readonly _tag: "Any" }

const any: Wanted = { _tag: "Any" }

const takeWanted = (args: Args): Wanted => {
  const text = args.next()
  if (text === "*") return any
  const ms = parseAutoSequence(text)
  if (ms !== undefined) return { _tag: "Sequence", ms }
  return { _tag: "Exact", id: parseStrict(text) ?? args.fail(InvalidStreamId.error) }
}

/** The id of a new entry behind `last`. */
const nextId = (wanted: Wanted, last: StreamId, nowMs: number): StreamId | CannotAppend => {
  if (wanted._tag === "Any") return nowMs > last.ms ? Id.make(nowMs, 0) : Id.next(last)!
  if (wanted._tag === "Exact") return Id.compare(wanted.id, last) > 0 ? wanted.id : CannotAppend.notGreater
  const { ms } = wanted
  if (ms !== last.ms) return ms > last.ms ? Id.make(ms, 0) : CannotAppend.notGreater
  // What Redis 7.0 says when the sequence is used up is misleading, but it is what it says.
  return last.seq === Id.u64Max ? CannotAppend.tooLarge : Id.make(ms, Id.addU64(last.seq, 1))
}

const xadd = Command.make({
  name: "xadd",
  summary: "Appends a new entry to a stream",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
  history: [
    ["6.2.0", "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option."],
    ["7.0.0", "Added support for the `<ms>-*` explicit ID form."],
  ],
  arity: -5,
  flags: "write denyoom fast",
  acl: "stream",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RW update", { notes: "UPDATE instead of INSERT because of the optional trimming feature" })],
  args: [
    Arg.key("key"),
    Arg.token("NOMKSTREAM", { optional: true, since: "6.2.0" }),
    Arg.block(
      "trim",
      [
        Arg.oneOf("strategy", [Arg.token("MAXLEN"), Arg.token("MINID", { since: "6.2.0" })]),
        Arg.oneOf("operator", [Arg.token("=", { name: "equal" }), Arg.token("~", { name: "approximately" })], {
          optional: true,
        }),
        Arg.string("threshold"),
        Arg.integer("count", { token: "LIMIT", optional: true, since: "6.2.0" }),
      ],
      { optional: true },
    ),
    Arg.oneOf("id_or_auto", [Arg.token("*", { name: "auto_id" }), Arg.string("id")]),
    Arg.block("field_value", [Arg.string("field"), Arg.string("value")], { multiple: true }),
  ],
  parse: (args) => {
    const key = args.key()
    const trimming = Trimming.none()
    let create = true
    let wanted: Wanted = any
    let idAt = 0
    while (args.more && idAt === 0) {
      if (args.peek() !== "*" && Trimming.takeOption(args, trimming)) continue
      if (args.option("NOMKSTREAM")) create = false
      else {
        idAt = args.position
        wanted = takeWanted(args)
      }
    }
    return { key, trimming, create, wanted, idAt, pairs: args.rest() }
  },
  run: ({ key, trimming, create, wanted, idAt, pairs }, ctx) => {
    const { db } = ctx
    const problem = Trimming.check(trimming, false, ctx)
    if (problem !== undefined) return Either.left(problem)
    if (pairs.length === 0 || pairs.length % 2 === 1) return Either.left(WrongArity.of("xadd"))
    if (wanted._tag === "Exact" && Id.isZero(wanted.id)) return Either.left(CannotAppend.zero)
    const found = db.writeAs(key, Stream)
    if (Either.isLeft(found)) return Either.left(found.left)
    if (found.right === undefined && !create) return nil
    const stream = found.right ?? new Stream()
    if (Id.isMax(stream.lastId)) return Either.left(CannotAppend.exhausted)
    const id = nextId(wanted, stream.lastId, ctx.now)
    if (id instanceof CannotAppend) return Either.left(id)
    if (bytesOf(pairs) > entryBytesMax) return Either.left(CannotAppend.tooLarge)
    if (found.right === undefined) db.put(key, stream)
    stream.append(id, pairs, ctx.limits)
    db.changed(key, EventClass.stream, "xadd")
    if (Trimming.trim(stream, trimming, ctx) > 0) db.notify(EventClass.stream, "xtrim", key)
    const answer = Id.format(id)
    if (wanted._tag !== "Exact" || trimming.approximate) {
      const request = ctx.argv.slice()
      request[idAt] = answer
      Trimming.makeExact(request, trimming, stream)
      ctx.propagateAs(request)
    }
    db.ready(key)
    return Either.right(Reply.bulk(answer))
  },
})

const bytesOf = (words: ReadonlyArray<string>): number => {
  let bytes = 0
  for (let i = 0; i < words.length; i++) bytes += words[i]!.length
  return bytes
}

const xdel = Command.make({
  name: "xdel",
  summary:
    "Removes the specified entries from the stream. Returns the number of items actually deleted, that may be different from the number of IDs passed in case certain IDs do not exist.",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
  arity: -3,
  flags: "write fast",
  acl: "stream",
  keys: [Key.at(1, "RW delete")],
  args: [Arg.key("key"), Arg.string("id", { multiple: true })],
  parse: (args) => ({ key: args.key(), words: args.rest() }),
  run: ({ key, words }, { db }) => {
    const found = db.writeAs(key, Stream)
    if (Either.isLeft(found)) return Either.left(found.left)
    if (found.right === undefined) return zero
    const ids: Array<StreamId> = []
    for (const word of words) {
      const id = parseStrict(word)
      if (id === undefined) return Either.left(InvalidStreamId.error)
      ids.push(id)
    }
    const deleted = found.right.delete(ids)
    if (deleted > 0) db.changed(key, EventClass.stream, "xdel", deleted)
    return Either.right(Reply.int(deleted))
  },
})

const xtrim = Command.make({
  name: "xtrim",
  summary: "Trims the stream to (approximately if '~' is passed) a certain size",
  since: "5.0.0",
  group: "stream",
  complexity:
    "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.",
  history: [["6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option."]],
  arity: -4,
  flags: "write",
  acl: "stream",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RW delete")],
  args: [
    Arg.key("key"),
    Arg.block("trim", [
      Arg.oneOf("strategy", [Arg.token("MAXLEN"), Arg.token("MINID", { since: "6.2.0" })]),
      Arg.oneOf("operator", [Arg.token("=", { name: "equal" }), Arg.token("~", { name: "approximately" })], {
        optional: true,
      }),
      Arg.string("threshold"),
      Arg.integer("count", { token: "LIMIT", optional: true, since: "6.2.0" }),
    ]),
  ],
  parse: (args) => {
    const key = args.key()
    const trimming = Trimming.none()
    while (args.more) if (!Trimming.takeOption(args, trimming)) args.fail(SyntaxError.error)
    return { key, trimming }
  },
  run: ({ key, trimming }, ctx) => {
    const { db } = ctx
    const problem = Trimming.check(trimming, true, ctx)
    if (problem !== undefined) return Either.left(problem)
    const found = db.writeAs(key, Stream)
    if (Either.isLeft(found)) return Either.left(found.left)
    if (found.right === undefined) return zero
    const trimmed = Trimming.trim(found.right, trimming, ctx)
    if (trimmed > 0) {
      db.changed(key, EventClass.stream, "xtrim", trimmed)
      if (trimming.approximate) {
        const request = ctx.argv.slice()
        Trimming.makeExact(request, trimming, found.right)
        ctx.propagateAs(request)
      }
    }
    return Either.right(Reply.int(trimmed))
  },
})

const xlen = Command.make({
  name: "xlen",
  summary: "Return the number of entries in a stream",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1)",
  arity: 2,
  flags: "readonly fast",
  acl: "stream",
  keys: [Key.at(1, "RO")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) => Either.map(db.readAs(key, Stream), (stream) => Reply.int(stream?.length ?? 0)),
})

const xsetid = Command.make({
  name: "xsetid",
  summary: "An internal command for replicating stream values",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1)",
  history: [["7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments."]],
  arity: -3,
  flags: "write denyoom fast",
  acl: "stream",
  keys: [Key.at(1, "RW update")],
  args: [
    Arg.key("key"),
    Arg.string("last-id"),
    Arg.integer("entries_added", { token: "ENTRIESADDED", optional: true, since: "7.0.0" }),
    Arg.string("max_deleted_entry_id", { token: "MAXDELETEDID", optional: true, since: "7.0.0" }),
  ],
  parse: (args) => {
    const key = args.key()
    const id = takeStrict(args)
    let entriesAdded: U64 | undefined
    let maxDeletedId: StreamId | undefined
    while (args.more) {
      if (args.optionWith("ENTRIESADDED", 1)) {
        entriesAdded = args.int64()
        if (entriesAdded < 0) args.fail(CannotSetId.entriesAddedNegative)
      } else if (args.optionWith("MAXDELETEDID", 1)) {
        maxDeletedId = takeStrict(args)
        if (Id.compare(id, maxDeletedId) < 0) args.fail(CannotSetId.belowDeleted)
      } else args.fail(SyntaxError.error)
    }
    return { key, id, entriesAdded, maxDeletedId }
  },
  run: ({ key, id, entriesAdded, maxDeletedId }, { db }) => {
    const found = db.writeAs(key, Stream)
    if (Either.isLeft(found)) return Either.left(found.left)
    const stream = found.right
    if (stream === undefined) return Either.left(NoSuchKey.error)
    if (stream.length > 0) {
      if (Id.compare(id, stream.edgeId(true)) < 0) return Either.left(CannotSetId.belowTop)
      if (entriesAdded !== undefined && stream.length > entriesAdded) return Either.left(CannotSetId.belowLength)
    }
    stream.lastId = id
    if (entriesAdded !== undefined) stream.entriesAdded = entriesAdded
    if (maxDeletedId !== undefined && !Id.isZero(maxDeletedId)) stream.maxDeletedId = maxDeletedId
    db.touched()
    db.notify(EventClass.stream, "xsetid", key)
    return ok
  },
})

export const entryCommands = [xadd, xdel, xtrim, xlen, xsetid]
