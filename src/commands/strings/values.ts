/**
 * The commands that read and write one whole string: GET GETSET GETDEL GETEX SET SETNX SETEX PSETEX.
 *
 * The idea to hold: SET without options and GET are the commands a server runs most, so they take a short way on which
 * nothing is made but the answer. Whatever ends at a relative time is logged with the instant it ends at.
 */
import * as Either from "effect/Either"
import { type Answer, nil, ok, one, wrongType, zero } from "../../command/Answers.ts"
import { storedBulk, StoredBulk } from "../../codec/ReplyArena.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import type { Ctx } from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import type { Database } from "../../store/Database.ts"
import { EventClass } from "../../store/Events.ts"
import { StringBuffer } from "../../store/StringBuffer.ts"
import { bytesOf, type StringValue } from "../../store/Value.ts"
import { bulk, isString } from "./answers.ts"
import { deadlineOf, none, type Options, parseOptions, type Unit } from "./expiration.ts"

const get = Command.make({
  name: "get",
  summary: "Get the value of a key",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  arity: 2,
  flags: "readonly fast",
  acl: "string",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) => {
    const value = db.readOr(key, storedBulk)
    return value instanceof StoredBulk ? Either.right(value) : bulk(value)
  },
})

/** What SET does with its key: GET anywhere among the options has it read too. */
const keysOfSet = (argv: ReadonlyArray<string>): ReadonlyArray<Key.Found> => [
  {
    position: 1,
    flags: argv.some((word, i) => i > 2 && word.toLowerCase() === "get")
      ? ["RW", "access", "update"]
      : ["OW", "update"],
  },
]

/** The value whose place a long one is going to take, and whose memory can be used again then. */
const replacedBy = (value: StringValue, key: string, db: Database): StringBuffer | undefined => {
  const old = value instanceof StringBuffer ? db.peek(key) : undefined
  return old instanceof StringBuffer ? old : undefined
}

/** Stores a value that stays. */
const setForGood = (key: string, value: StringValue, db: Database): void => {
  const old = replacedBy(value, key, db)
  db.set(key, value)
  old?.reuse()
}

/** Stores a value that ends, and has it logged with its instant. */
const setUntil = (key: string, value: StringValue, atMs: number, ctx: Ctx): void => {
  const { db } = ctx
  const old = replacedBy(value, key, db)
  db.setUntil(key, value, atMs)
  old?.reuse()
  db.changed(key, EventClass.string, "set")
  db.notify(EventClass.generic, "expire", key)
  if (ctx.isLogged) ctx.propagateAs(["SET", key, bytesOf(value), "PXAT", String(atMs)])
}

/** SET with at least one option. */
const setWith = (key: string, value: StringValue, options: Readonly<Options>, ctx: Ctx): Answer => {
  const { db } = ctx
  const { condition, get, keepTtl, unit, amount } = options
  const deadline = unit === undefined ? undefined : deadlineOf(unit, amount, ctx.now, "set")
  if (deadline !== undefined && Either.isLeft(deadline)) return Either.left(deadline.left)
  const old = get ? bulk(db.read(key)) : undefined
  if (old !== undefined && Either.isLeft(old)) return old
  if (condition !== undefined && (db.write(key) !== undefined) !== (condition === "XX")) return old ?? nil
  if (deadline !== undefined) setUntil(key, value, deadline.right, ctx)
  else {
    if (keepTtl) db.put(key, value)
    else setForGood(key, value, db)
    db.changed(key, EventClass.string, "set")
    if (get && ctx.isLogged)
      ctx.propagateAs(keepTtl ? ["SET", key, bytesOf(value), "KEEPTTL"] : ["SET", key, bytesOf(value)])
  }
  return old ?? ok
}

const set = Command.make({
  name: "set",
  summary: "Set the string value of a key",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  history: [
    ["2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."],
    ["6.0.0", "Added the `KEEPTTL` option."],
    ["6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."],
    ["7.0.0", "Allowed the `NX` and `GET` options to be used together."],
  ],
  arity: -3,
  flags: "write denyoom",
  acl: "string",
  keys: [Key.at(1, "RW access update variable_flags", { notes: "RW and ACCESS due to the optional `GET` argument" })],
  args: [
    Arg.key("key"),
    Arg.string("value"),
    Arg.oneOf("condition", [Arg.token("NX"), Arg.token("XX")], { optional: true, since: "2.6.12" }),
    Arg.token("GET", { optional: true, since: "6.2.0" }),
    Arg.oneOf(
      "expiration",
      [
        Arg.integer("seconds", { token: "EX", since: "2.6.12" }),
        Arg.integer("milliseconds", { token: "PX", since: "2.6.12" }),
        Arg.unixTime("unix-time-seconds", { token: "EXAT", since: "6.2.0" }),
        Arg.unixTime("unix-time-milliseconds", { token: "PXAT", since: "6.2.0" }),
        Arg.token("KEEPTTL", { since: "6.0.0" }),
      ],
      { optional: true },
    ),
  ],
  keysOf: keysOfSet,
  parse: (args) => ({ key: args.key(), value: args.value(), options: parseOptions(args, "set") }),
  run: ({ key, value, options }, ctx) => {
    if (options !== none) return setWith(key, value, options, ctx)
    const { db } = ctx
    setForGood(key, value, db)
    db.changed(key, EventClass.string, "set")
    return ok
  },
})

const setnx = Command.make({
  name: "setnx",
  summary: "Set the value of a key, only if the key does not exist",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  arity: 3,
  flags: "write denyoom fast",
  acl: "string",
  keys: [Key.at(1, "OW insert")],
  args: [Arg.key("key"), Arg.string("value")],
  parse: (args) => ({ key: args.key(), value: args.value() }),
  run: ({ key, value }, { db }) => {
    if (db.write(key) !== undefined) return zero
    db.put(key, value)
    db.changed(key, EventClass.string, "set")
    return one
  },
})

/** SETEX and PSETEX: the time comes before the value. */
interface Ending {
  readonly key: string
  readonly amount: string
  readonly value: StringValue
}

const setEnding = ({ key, amount, value }: Ending, unit: Unit, command: string, ctx: Ctx): Answer => {
  const deadline = deadlineOf(unit, amount, ctx.now, command)
  if (Either.isLeft(deadline)) return Either.left(deadline.left)
  setUntil(key, value, deadline.right, ctx)
  return ok
}

const setex = Command.make({
  name: "setex",
  summary: "Set the value and expiration of a key",
  since: "2.0.0",
  group: "string",
  complexity: "O(1)",
  arity: 4,
  flags: "write denyoom",
  acl: "string",
  keys: [Key.at(1, "OW update")],
  args: [Arg.key("key"), Arg.integer("seconds"), Arg.string("value")],
  parse: (args) => ({ key: args.key(), amount: args.next(), value: args.value() }),
  run: (ending, ctx) => setEnding(ending, "EX", "setex", ctx),
})

const psetex = Command.make({
  name: "psetex",
  summary: "Set the value and expiration in milliseconds of a key",
  since: "2.6.0",
  group: "string",
  complexity: "O(1)",
  arity: 4,
  flags: "write denyoom",
  acl: "string",
  keys: [Key.at(1, "OW update")],
  args: [Arg.key("key"), Arg.integer("milliseconds"), Arg.string("value")],
  parse: (args) => ({ key: args.key(), amount: args.next(), value: args.value() }),
  run: (ending, ctx) => setEnding(ending, "PX", "psetex", ctx),
})

const getset = Command.make({
  name: "getset",
  summary: "Set the string value of a key and return its old value",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  docFlags: "deprecated",
  deprecatedSince: "6.2.0",
  replacedBy: "`SET` with the `!GET` argument",
  arity: 3,
  flags: "write denyoom fast",
  acl: "string",
  keys: [Key.at(1, "RW access update")],
  args: [Arg.key("key"), Arg.string("value")],
  parse: (args) => ({ key: args.key(), value: args.value() }),
  run: ({ key, value }, { db, isLogged, propagateAs }) => {
    const answer = bulk(db.read(key))
    if (Either.isLeft(answer)) return answer
    db.set(key, value)
    db.changed(key, EventClass.string, "set")
    if (isLogged) propagateAs(["SET", key, bytesOf(value)])
    return answer
  },
})

const getdel = Command.make({
  name: "getdel",
  summary: "Get the value of a key and delete the key",
  since: "6.2.0",
  group: "string",
  complexity: "O(1)",
  arity: 2,
  flags: "write fast",
  acl: "string",
  keys: [Key.at(1, "RW access delete")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db, propagateAs }) => {
    const value = db.read(key)
    const answer = bulk(value)
    if (value === undefined || Either.isLeft(answer)) return answer
    db.remove(key)
    db.changed(key, EventClass.generic, "del")
    propagateAs(["DEL", key])
    return answer
  },
})

/** Moves the deadline to `atMs`; an instant that has passed removes the key. */
const endAt = (key: string, atMs: number, { db, now, propagateAs }: Ctx): void => {
  if (atMs <= now) {
    db.remove(key)
    db.changed(key, EventClass.generic, "del")
    propagateAs(["DEL", key])
    return
  }
  db.setDeadline(key, atMs)
  db.changed(key, EventClass.generic, "expire")
  propagateAs(["PEXPIREAT", key, String(atMs)])
}

const getex = Command.make({
  name: "getex",
  summary: "Get the value of a key and optionally set its expiration",
  since: "6.2.0",
  group: "string",
  complexity: "O(1)",
  arity: -2,
  flags: "write fast",
  acl: "string",
  keys: [Key.at(1, "RW access update", { notes: "RW and UPDATE because it changes the TTL" })],
  args: [
    Arg.key("key"),
    Arg.oneOf(
      "expiration",
      [
        Arg.integer("seconds", { token: "EX" }),
        Arg.integer("milliseconds", { token: "PX" }),
        Arg.unixTime("unix-time-seconds", { token: "EXAT" }),
        Arg.unixTime("unix-time-milliseconds", { token: "PXAT" }),
        Arg.token("PERSIST"),
      ],
      { optional: true },
    ),
  ],
  parse: (args) => ({ key: args.key(), options: parseOptions(args, "getex") }),
  run: ({ key, options }, ctx) => {
    const { db } = ctx
    const value = db.read(key)
    if (value === undefined) return nil
    if (!isString(value)) return wrongType
    if (options.unit !== undefined) {
      const deadline = deadlineOf(options.unit, options.amount, ctx.now, "getex")
      if (Either.isLeft(deadline)) return Either.left(deadline.left)
      const answer = bulk(value)
      endAt(key, deadline.right, ctx)
      return answer
    }
    if (options.persist && db.deadline(key) !== undefined) {
      db.setDeadline(key, undefined)
      db.changed(key, EventClass.generic, "persist")
      ctx.propagateAs(["PERSIST", key])
    }
    return bulk(value)
  },
})

export const values = [get, getset, getdel, getex, set, setnx, setex, psetex]
