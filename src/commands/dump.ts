/**
 * DUMP and RESTORE: one value in the bytes in which it would stand in a snapshot, exchangeable with redis-server in both directions.
 *
 * The idea to hold: a payload is checked before anything is changed. Its checksum tells damage on the way; that the bytes are a value
 * that commands could have made is checked while it is decoded.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Runtime from "effect/Runtime"
import { parseSafeInteger } from "../bytes/Numbers.ts"
import * as Reply from "../codec/Reply.ts"
import * as Arg from "../command/Arg.ts"
import type { Args } from "../command/Args.ts"
import type { Client } from "../command/Client.ts"
import * as Command from "../command/Command.ts"
import * as Key from "../command/Key.ts"
import { Config, type ConfigService } from "../config/Config.ts"
import { type CommandError, InvalidArgument, NotInteger, SyntaxError } from "../errors/CommandError.ts"
import { ReplyTooLong } from "../errors/ConnectionErrors.ts"
import { BadPayload, BusyKey } from "../errors/PersistenceErrors.ts"
import * as Payload from "../persistence/rdb/Payload.ts"
import { PayloadWriter } from "../persistence/rdb/PayloadWriter.ts"
import type { Database } from "../store/Database.ts"
import { EventClass } from "../store/Events.ts"
import { isLfu, lfuStampOf, lruStamp } from "../store/Access.ts"

const dump = (config: ConfigService) => {
  const writer = new PayloadWriter(config.current)
  return Command.make({
    name: "dump",
    summary: "Return a serialized version of the value stored at the specified key.",
    since: "2.6.0",
    group: "generic",
    complexity:
      "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).",
    arity: 2,
    flags: "readonly",
    acl: "keyspace",
    tips: ["nondeterministic_output"],
    keys: [Key.at(1, "RO access")],
    args: [Arg.key("key")],
    parse: (args) => args.key(),
    run: (key, { db }) => {
      const value = db.read(key)
      if (value === undefined) return Either.right(Reply.nil)
      const payload = writer.of(value)
      return payload === undefined ? Either.left(ReplyTooLong.error) : Either.right(Reply.bulk(payload))
    },
  })
}

interface Services {
  readonly config: ConfigService
  /** A line for who looks into it, at the level `verbose`. */
  readonly log: (text: string) => void
}

/** The arguments as they came: RESTORE looks at the key before it looks at the numbers. */
interface Restore {
  readonly key: string
  readonly ttl: string
  readonly payload: string
  readonly replace: boolean
  readonly absolute: boolean
  /** Seconds; -1 where it is not given. */
  readonly idle: number
  readonly frequency: number
}

const badTtl = new InvalidArgument("Invalid TTL value, must be >= 0")
const badIdle = new InvalidArgument("Invalid IDLETIME value, must be >= 0")
const badFrequency = new InvalidArgument("Invalid FREQ value, must be >= 0 and <= 255")

const parse = (args: Args): Restore => {
  const key = args.key()
  const ttl = args.next()
  const payload = args.next()
  let replace = false
  let absolute = false
  let idle = -1
  let frequency = -1
  while (args.more) {
    if (args.option("REPLACE")) replace = true
    else if (args.option("ABSTTL")) absolute = true
    else if (frequency === -1 && args.optionWith("IDLETIME", 1)) {
      idle = args.int()
      if (idle < 0) args.fail(badIdle)
    } else if (idle === -1 && args.optionWith("FREQ", 1)) {
      frequency = args.int()
      if (frequency < 0 || frequency > 255) args.fail(badFrequency)
    } else args.fail(SyntaxError.error)
  }
  return { key, ttl, payload, replace, absolute, idle, frequency }
}

const restoreMeta = {
  complexity:
    "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
  history: [
    ["3.0.0", "Added the `REPLACE` modifier."],
    ["5.0.0", "Added the `ABSTTL` modifier."],
    ["5.0.0", "Added the `IDLETIME` and `FREQ` options."],
  ],
  arity: -4,
  acl: "keyspace dangerous",
  keys: [Key.at(1, "OW update")],
  args: [
    Arg.key("key"),
    Arg.integer("ttl"),
    Arg.string("serialized-value"),
    Arg.token("REPLACE", { optional: true, since: "3.0.0" }),
    Arg.token("ABSTTL", { optional: true, since: "5.0.0" }),
    Arg.integer("seconds", { token: "IDLETIME", optional: true, since: "5.0.0" }),
    Arg.integer("frequency", { token: "FREQ", optional: true, since: "5.0.0" }),
  ],
} as const satisfies Partial<Command.Meta>

/** Whether a payload must also be right where this server does not need it: `sanitize-dump-payload`. */
const isStrict = ({ current }: ConfigService, client: Client): boolean => {
  if (current.sanitizeDumpPayload !== "clients") return current.sanitizeDumpPayload === "yes"
  // Neither the log nor a master is a client.
  return client.id !== 0 && !client.user.skipsSanitizing
}

const run =
  ({ config, log }: Services) =>
  (request: Restore, ctx: Command.Ctx): Either.Either<Reply.Reply, CommandError> => {
    const { db, now, argv, store, client } = ctx
    const { key, replace } = request
    const exists = db.write(key) !== undefined
    if (exists && !replace) return Either.left(BusyKey.error)
    const ttl = parseSafeInteger(request.ttl)
    if (ttl === undefined) return Either.left(NotInteger.error)
    if (ttl < 0) return Either.left(badTtl)
    const bytes = Payload.open(request.payload, store.verifiesChecksums)
    if (bytes === undefined) return Either.left(BadPayload.checksum)
    const read = Payload.read(bytes, config.current, isStrict(config, client))
    if (Either.isLeft(read)) {
      const { message, offset } = read.left
      log(`RESTORE refused a payload: integrity check failed at byte ${offset}: ${message}`)
      return Either.left(BadPayload.format)
    }
    const value = read.right
    const deadline = ttl === 0 ? undefined : request.absolute ? ttl : now + ttl
    // A replayed log, and a master, say themselves when a key goes.
    if (deadline !== undefined && deadline <= now && store.expire) {
      if (exists) {
        db.remove(key)
        db.changed(key, EventClass.generic, "del")
        ctx.propagateAs(["DEL", key])
      }
      return Either.right(Reply.ok)
    }
    if (exists) db.remove(key)
    if (deadline === undefined) db.set(key, value)
    else {
      db.setUntil(key, value, deadline)
      if (!request.absolute) ctx.propagateAs([argv[0]!, key, String(deadline), ...argv.slice(3), "ABSTTL"])
    }
    stamp(config, db, request, now)
    db.changed(key, EventClass.generic, "restore")
    return Either.right(Reply.ok)
  }

const stamp = (config: ConfigService, db: Database, { key, idle, frequency }: Restore, now: number): void => {
  if (isLfu(config.current.maxmemoryPolicy)) {
    if (frequency >= 0) db.keyspace.setAccess(key, lfuStampOf(frequency, now))
  } else if (idle >= 0) db.keyspace.setAccess(key, lruStamp(Math.max(0, now - idle * 1000)))
}

const restore = (services: Services) =>
  Command.make({
    ...restoreMeta,
    name: "restore",
    summary: "Create a key using the provided serialized value, previously obtained using DUMP.",
    since: "2.6.0",
    group: "generic",
    flags: "write denyoom",
    parse,
    run: run(services),
  })

const restoreAsking = (services: Services) =>
  Command.make({
    ...restoreMeta,
    name: "restore-asking",
    summary: "An internal command for migrating keys in a cluster",
    since: "3.0.0",
    group: "server",
    docFlags: "syscmd",
    flags: "write denyoom asking",
    parse,
    run: run(services),
  })

export const dumpCommands = Effect.gen(function* () {
  const config = yield* Config
  const fork = Runtime.runFork(yield* Effect.runtime<never>())
  const services: Services = { config, log: (text) => void fork(Effect.logDebug(text)) }
  return [dump(config), restore(services), restoreAsking(services)]
})
