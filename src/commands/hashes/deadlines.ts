/**
 * When fields of a hash go: HEXPIRE and its kin, HPERSIST. The commands are those of Redis 7.4, as documented.
 *
 * The idea to hold: as for keys, every deadline is Unix time in milliseconds, and so it is logged. A deadline that has passed
 * removes the field at once.
 */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { InvalidFieldDeadline, InvalidFields } from "../../errors/HashErrors.ts"
import { EventClass } from "../../store/Events.ts"
import { Hash } from "../../store/Hash.ts"
import { parseFields } from "./named.ts"

const conditions = ["NX", "XX", "GT", "LT"] as const
type Condition = (typeof conditions)[number]

interface Request {
  readonly key: string
  readonly hash: Hash | undefined
  readonly atMs: number
  readonly condition: Condition | undefined
  readonly fields: ReadonlyArray<string>
}

/** The latest deadline of a field, Unix ms: what fits the 46 bits Redis keeps. */
const atMsMax = 2 ** 46 - 1

/** What is answered for a field. */
const noField = Reply.int(-2)
const noDeadline = Reply.int(-1)
const refused = Reply.zero
const done = Reply.one
const removed = Reply.int(2)

/** `unit` is the time's, in ms; `base` the instant it counts from. */
const parse = (args: Args, { db }: Command.Ctx, name: string, unit: number, base: number): Request => {
  const key = args.key()
  const found = db.writeAs(key, Hash)
  if (Either.isLeft(found)) return args.fail(found.left)
  const time = args.int()
  if (time < 0) args.fail(InvalidFieldDeadline.negative)
  // A product or sum that is not exact is far beyond the maximum.
  const atMs = time * unit + base
  if (atMs > atMsMax) args.fail(InvalidFieldDeadline.of(name))
  const condition = conditions.find((word) => args.option(word))
  return { key, hash: found.right, atMs, condition, fields: parseFields(args, InvalidFields.parameter) }
}

/** A field without a deadline counts as one that goes later than any. */
const allows = (condition: Condition | undefined, old: number | undefined, atMs: number): boolean => {
  switch (condition) {
    case undefined:
      return true
    case "NX":
      return old === undefined
    case "XX":
      return old !== undefined
    case "GT":
      return old !== undefined && atMs > old
    case "LT":
      return old === undefined || atMs < old
  }
}

const run = ({ key, hash, atMs, condition, fields }: Request, { db, now, store, propagateAs }: Command.Ctx) => {
  if (hash === undefined) return Either.right(Reply.array(fields.map(() => noField)))
  // A replayed log says itself when a field goes.
  const isPast = atMs <= now && store.expire
  const changed: Array<string> = []
  const replies = fields.map((field) => {
    if (!hash.has(field)) return noField
    if (!allows(condition, hash.deadline(field), atMs)) return refused
    changed.push(field)
    if (!isPast) {
      hash.setDeadline(field, atMs)
      return done
    }
    hash.remove(field)
    return removed
  })
  if (changed.length > 0) {
    db.changed(key, EventClass.hash, isPast ? "hdel" : "hexpire", changed.length)
    if (isPast) {
      db.removeIfEmpty(key, hash)
      propagateAs(["HDEL", key, ...changed])
    } else {
      db.scheduleElements(key, hash)
      propagateAs(["HPEXPIREAT", key, String(atMs), "FIELDS", String(changed.length), ...changed])
    }
  }
  return Either.right(Reply.array(replies))
}

const argsOf = (time: Arg.Arg): ReadonlyArray<Arg.Arg> => [
  Arg.key("key"),
  time,
  Arg.oneOf("condition", [Arg.token("NX"), Arg.token("XX"), Arg.token("GT"), Arg.token("LT")], { optional: true }),
  Arg.block("fields", [Arg.integer("numfields"), Arg.string("field", { multiple: true })], { token: "FIELDS" }),
]

const hexpire = Command.make({
  name: "hexpire",
  summary: "Set expiry for hash field using relative time to expire (seconds)",
  since: "7.4.0",
  group: "hash",
  complexity: "O(N) where N is the number of specified fields",
  arity: -6,
  flags: "write denyoom fast",
  acl: "hash",
  keys: [Key.at(1, "RW update")],
  args: argsOf(Arg.integer("seconds")),
  parse: (args, ctx) => parse(args, ctx, "hexpire", 1000, ctx.now),
  run,
})

const hpexpire = Command.make({
  name: "hpexpire",
  summary: "Set expiry for hash field using relative time to expire (milliseconds)",
  since: "7.4.0",
  group: "hash",
  complexity: "O(N) where N is the number of specified fields",
  arity: -6,
  flags: "write denyoom fast",
  acl: "hash",
  keys: [Key.at(1, "RW update")],
  args: argsOf(Arg.integer("milliseconds")),
  parse: (args, ctx) => parse(args, ctx, "hpexpire", 1, ctx.now),
  run,
})

const hexpireat = Command.make({
  name: "hexpireat",
  summary: "Set expiry for hash field using an absolute Unix timestamp (seconds)",
  since: "7.4.0",
  group: "hash",
  complexity: "O(N) where N is the number of specified fields",
  arity: -6,
  flags: "write denyoom fast",
  acl: "hash",
  keys: [Key.at(1, "RW update")],
  args: argsOf(Arg.unixTime("unix-time-seconds")),
  parse: (args, ctx) => parse(args, ctx, "hexpireat", 1000, 0),
  run,
})

const hpexpireat = Command.make({
  name: "hpexpireat",
  summary: "Set expiry for hash field using an absolute Unix timestamp (milliseconds)",
  since: "7.4.0",
  group: "hash",
  complexity: "O(N) where N is the number of specified fields",
  arity: -6,
  flags: "write denyoom fast",
  acl: "hash",
  keys: [Key.at(1, "RW update")],
  args: argsOf(Arg.unixTime("unix-time-milliseconds")),
  parse: (args, ctx) => parse(args, ctx, "hpexpireat", 1, 0),
  run,
})

const hpersist = Command.make({
  name: "hpersist",
  summary: "Removes the expiration time for each specified field",
  since: "7.4.0",
  group: "hash",
  complexity: "O(N) where N is the number of specified fields",
  arity: -5,
  flags: "write fast",
  acl: "hash",
  keys: [Key.at(1, "RW update")],
  args: [
    Arg.key("key"),
    Arg.block("fields", [Arg.integer("numfields"), Arg.string("field", { multiple: true })], { token: "FIELDS" }),
  ],
  parse: (args, { db }) => {
    const key = args.key()
    const found = db.writeAs(key, Hash)
    if (Either.isLeft(found)) return args.fail(found.left)
    return { key, hash: found.right, fields: parseFields(args, InvalidFields.count) }
  },
  run: ({ key, hash, fields }, { db }) => {
    let changed = false
    const replies = fields.map((field) => {
      if (hash?.has(field) !== true) return noField
      if (!hash.setDeadline(field, undefined)) return noDeadline
      changed = true
      return done
    })
    if (changed) db.changed(key, EventClass.hash, "hpersist")
    return Either.right(Reply.array(replies))
  },
})

export const deadlineCommands = [hexpire, hpexpire, hexpireat, hpexpireat, hpersist]
