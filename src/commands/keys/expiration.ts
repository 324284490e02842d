/**
 * Deadlines of keys. All are kept as Unix time in milliseconds; relative ones become absolute here and in the log.
 */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import { type Args, keyword } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { type CommandError, InvalidArgument } from "../../errors/CommandError.ts"
import type { Database } from "../../store/Database.ts"
import { EventClass } from "../../store/Events.ts"

type Condition = "NX" | "XX" | "GT" | "LT"

interface Request {
  readonly key: string
  readonly time: number | bigint
  readonly conditions: ReadonlySet<Condition>
}

const incompatibleNx = new InvalidArgument("NX and XX, GT or LT options at the same time are not compatible")
const incompatibleGt = new InvalidArgument("GT and LT options at the same time are not compatible")

const parse = (args: Args): Request => {
  const key = args.key()
  const timeAt = args.position
  args.next()
  const conditions = new Set<Condition>()
  while (args.more) {
    const word = args.next()
    const condition = keyword(word)
    if (condition !== "NX" && condition !== "XX" && condition !== "GT" && condition !== "LT") {
      return args.fail(new InvalidArgument(`Unsupported option ${word}`))
    }
    conditions.add(condition)
  }
  if (conditions.has("NX") && conditions.size > 1) args.fail(incompatibleNx)
  if (conditions.has("GT") && conditions.has("LT")) args.fail(incompatibleGt)
  // Redis looks at the options before the number.
  args.position = timeAt
  return { key, time: args.int64(), conditions }
}

/** The latest instant that a number can hold and 64 bits can, too: what is logged must be readable again. */
const deadlineMax = 2 ** 63 - 1024

/**
 * Unix ms of `time` in units of `unit` ms after `base`; absent when 64 bits do not hold it.
 * Differs: beyond 2^53 ms (the year 287396) a deadline is rounded to what a double holds.
 */
const toUnixMs = (time: number | bigint, unit: number, base: number): number | undefined => {
  const ms = typeof time === "number" ? time * unit + base : Infinity
  if (Number.isSafeInteger(ms)) return ms
  const exact = BigInt(time) * BigInt(unit) + BigInt(base)
  return BigInt.asIntN(64, exact) === exact &&
    BigInt.asIntN(64, BigInt(time) * BigInt(unit)) === BigInt(time) * BigInt(unit)
    ? Math.min(Number(exact), deadlineMax)
    : undefined
}

const allows = (conditions: ReadonlySet<Condition>, old: number | undefined, deadline: number): boolean =>
  !(
    (conditions.has("NX") && old !== undefined) ||
    (conditions.has("XX") && old === undefined) ||
    // No deadline counts as later than any.
    (conditions.has("GT") && (old === undefined || deadline <= old)) ||
    (conditions.has("LT") && old !== undefined && deadline >= old)
  )

const expireAt = (
  { key, time, conditions }: Request,
  unit: number,
  base: number,
  name: string,
  { db, now, store, propagateAs }: Command.Ctx,
): Either.Either<Reply.Reply, CommandError> => {
  const deadline = toUnixMs(time, unit, base)
  if (deadline === undefined) return Either.left(new InvalidArgument(`invalid expire time in '${name}' command`))
  if (db.write(key) === undefined) return Either.right(Reply.zero)
  if (!allows(conditions, db.deadline(key), deadline)) return Either.right(Reply.zero)
  // A replayed log says itself when a key goes.
  if (deadline <= now && store.expire) {
    db.remove(key)
    db.changed(key, EventClass.generic, "del")
    propagateAs(["DEL", key])
    return Either.right(Reply.one)
  }
  db.setDeadline(key, deadline)
  db.changed(key, EventClass.generic, "expire")
  propagateAs(["PEXPIREAT", key, String(deadline)])
  return Either.right(Reply.one)
}

const expire = Command.make({
  name: "expire",
  summary: "Set a key's time to live in seconds",
  since: "1.0.0",
  group: "generic",
  complexity: "O(1)",
  history: [["7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`."]],
  arity: -3,
  flags: "write fast",
  acl: "keyspace",
  keys: [Key.at(1, "RW update")],
  args: [
    Arg.key("key"),
    Arg.integer("seconds"),
    Arg.oneOf("condition", [Arg.token("NX"), Arg.token("XX"), Arg.token("GT"), Arg.token("LT")], {
      optional: true,
      since: "7.0.0",
    }),
  ],
  parse: (args) => parse(args),
  run: (request, ctx) => expireAt(request, 1000, ctx.now, "expire", ctx),
})

const pexpire = Command.make({
  name: "pexpire",
  summary: "Set a key's time to live in milliseconds",
  since: "2.6.0",
  group: "generic",
  complexity: "O(1)",
  history: [["7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`."]],
  arity: -3,
  flags: "write fast",
  acl: "keyspace",
  keys: [Key.at(1, "RW update")],
  args: [
    Arg.key("key"),
    Arg.integer("milliseconds"),
    Arg.oneOf("condition", [Arg.token("NX"), Arg.token("XX"), Arg.token("GT"), Arg.token("LT")], {
      optional: true,
      since: "7.0.0",
    }),
  ],
  parse: (args) => parse(args),
  run: (request, ctx) => expireAt(request, 1, ctx.now, "pexpire", ctx),
})

const expireat = Command.make({
  name: "expireat",
  summary: "Set the expiration for a key as a UNIX timestamp",
  since: "1.2.0",
  group: "generic",
  complexity: "O(1)",
  history: [["7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`."]],
  arity: -3,
  flags: "write fast",
  acl: "keyspace",
  keys: [Key.at(1, "RW update")],
  args: [
    Arg.key("key"),
    Arg.unixTime("unix-time-seconds"),
    Arg.oneOf("condition", [Arg.token("NX"), Arg.token("XX"), Arg.token("GT"), Arg.token("LT")], {
      optional: true,
      since: "7.0.0",
    }),
  ],
  parse: (args) => parse(args),
  run: (request, ctx) => expireAt(request, 1000, 0, "expireat", ctx),
})

const pexpireat = Command.make({
  name: "pexpireat",
  summary: "Set the expiration for a key as a UNIX timestamp specified in milliseconds",
  since: "2.6.0",
  group: "generic",
  complexity: "O(1)",
  history: [["7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`."]],
  arity: -3,
  flags: "write fast",
  acl: "keyspace",
  keys: [Key.at(1, "RW update")],
  args: [
    Arg.key("key"),
    Arg.unixTime("unix-time-milliseconds"),
    Arg.oneOf("condition", [Arg.token("NX"), Arg.token("XX"), Arg.token("GT"), Arg.token("LT")], {
      optional: true,
      since: "7.0.0",
    }),
  ],
  parse: (args) => parse(args),
  run: (request, ctx) => expireAt(request, 1, 0, "pexpireat", ctx),
})

/** What TTL and its kin answer: -2 without the key, -1 without a deadline. */
const timeReply = (db: Database, key: string, answer: (deadline: number) => number): Reply.Reply => {
  if (db.inspect(key) === undefined) return Reply.int(-2)
  const deadline = db.deadline(key)
  return Reply.int(deadline === undefined ? -1 : answer(deadline))
}

const ttl = Command.make({
  name: "ttl",
  summary: "Get the time to live for a key in seconds",
  since: "1.0.0",
  group: "generic",
  complexity: "O(1)",
  history: [["2.8.0", "Added the -2 reply."]],
  arity: 2,
  flags: "readonly fast",
  acl: "keyspace",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db, now }) =>
    Either.right(timeReply(db, key, (deadline) => Math.floor((Math.max(0, deadline - now) + 500) / 1000))),
})

const pttl = Command.make({
  name: "pttl",
  summary: "Get the time to live for a key in milliseconds",
  since: "2.6.0",
  group: "generic",
  complexity: "O(1)",
  history: [["2.8.0", "Added the -2 reply."]],
  arity: 2,
  flags: "readonly fast",
  acl: "keyspace",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db, now }) => Either.right(timeReply(db, key, (deadline) => Math.max(0, deadline - now))),
})

const expiretime = Command.make({
  name: "expiretime",
  summary: "Get the expiration Unix timestamp for a key",
  since: "7.0.0",
  group: "generic",
  complexity: "O(1)",
  arity: 2,
  flags: "readonly fast",
  acl: "keyspace",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) => Either.right(timeReply(db, key, (deadline) => Math.floor((deadline + 500) / 1000))),
})

const pexpiretime = Command.make({
  name: "pexpiretime",
  summary: "Get the expiration Unix timestamp for a key in milliseconds",
  since: "7.0.0",
  group: "generic",
  complexity: "O(1)",
  arity: 2,
  flags: "readonly fast",
  acl: "keyspace",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) => Either.right(timeReply(db, key, (deadline) => deadline)),
})

const persist = Command.make({
  name: "persist",
  summary: "Remove the expiration from a key",
  since: "2.2.0",
  group: "generic",
  complexity: "O(1)",
  arity: 2,
  flags: "write fast",
  acl: "keyspace",
  keys: [Key.at(1, "RW update")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) => {
    if (db.write(key) === undefined || db.deadline(key) === undefined) return Either.right(Reply.zero)
    db.setDeadline(key, undefined)
    db.changed(key, EventClass.generic, "persist")
    return Either.right(Reply.one)
  },
})

export const expirationCommands = [expire, pexpire, expireat, pexpireat, ttl, pttl, expiretime, pexpiretime, persist]
