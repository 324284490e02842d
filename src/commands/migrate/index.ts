/**
 * MIGRATE: keys go to another server. What is sent to it is what DUMP answers, with RESTORE; of what it has acknowledged, nothing stays
 * here.
 *
 * The idea to hold: redis-server serves nobody meanwhile. Here writes are held back, all of them, until the keys that have arrived are
 * gone: so what arrived is what was here last, and no key is ever changed in two places. Everybody reads on, and COPY, which leaves the
 * keys here, holds back nobody.
 * Differs: what cannot wait, a transaction or a script, is refused it. The other server is told no key before it has accepted the
 * password and the database. An answer that is none of Redis's is not taken for an acknowledgement. Whether the connection is under TLS
 * says `tls-replication`, in redis-server `tls-cluster`. And on a replica that can be written to, what its master changes meanwhile is
 * not held back.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { parseSafeInteger } from "../../bytes/Numbers.ts"
import { Clock } from "../../clock/Clock.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import { Clients } from "../../command/Clients.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { Config } from "../../config/Config.ts"
import { NotInteger, SyntaxError } from "../../errors/CommandError.ts"
import { ReplyTooLong } from "../../errors/ConnectionErrors.ts"
import { MigrationRefused } from "../../errors/MigrationErrors.ts"
import { PayloadWriter } from "../../persistence/rdb/PayloadWriter.ts"
import { type Parcel, type Transfer, type TransferServices, transfer } from "./Transfer.ts"
import { Targets } from "./Targets.ts"

const noKey = Reply.simple("NOKEY")
/** Where no time, or less, is given. */
const timeoutDefaultMs = 1000
/** What a timer can hold. */
const timeoutMaxMs = 2 ** 31 - 1

const parse = (args: Args): Transfer => {
  const host = args.owned()
  const port = args.owned()
  const key = args.key()
  const database = args.next()
  const timeout = args.next()
  let keys: ReadonlyArray<string> = [key]
  let copy = false
  let replace = false
  let credentials: ReadonlyArray<string> = []
  while (args.more) {
    if (args.option("COPY")) copy = true
    else if (args.option("REPLACE")) replace = true
    else if (args.optionWith("AUTH", 1)) credentials = [args.next()]
    else if (args.optionWith("AUTH2", 2)) credentials = [args.next(), args.next()]
    else if (args.option("KEYS")) {
      if (key !== "") args.fail(MigrationRefused.keyBesideKeys)
      keys = args.rest()
    } else args.fail(SyntaxError.error)
  }
  const [timeoutMs, db] = [parseSafeInteger(timeout), parseSafeInteger(database)]
  if (timeoutMs === undefined || db === undefined) return args.fail(NotInteger.error)
  return {
    // As a C program reads it: what is no number is port 0.
    ...{ host, port: Number.parseInt(port, 10) || 0, database: db, keys, copy, replace, credentials },
    timeoutMs: timeoutMs > 0 ? Math.min(timeoutMs, timeoutMaxMs) : timeoutDefaultMs,
  }
}

/** Those behind KEYS, which may also be a password; without it the one at its usual place. A request with both is refused, and has none. */
const keysOf = (argv: ReadonlyArray<string>): ReadonlyArray<Key.Found> => {
  const flags = ["RW", "access", "delete"]
  for (let i = 6; i < argv.length - 1; i++) {
    const word = argv[i]!.toUpperCase()
    if (word === "AUTH") i++
    else if (word === "AUTH2") i += 2
    else if (word === "KEYS") {
      if (argv[3] !== "") return []
      return argv.slice(i + 1).map((_, offset) => ({ position: i + 1 + offset, flags }))
    }
  }
  return [{ position: 3, flags }]
}

export const migrateCommands = Effect.gen(function* () {
  const config = yield* Config
  const services: TransferServices = { clients: yield* Clients, clock: yield* Clock, targets: yield* Targets }
  const writer = new PayloadWriter(config.current)

  /** What is there of the keys, as it is now; absent where a value is longer than can be sent. */
  const pack = (keys: ReadonlyArray<string>, { db }: Command.Ctx): ReadonlyArray<Parcel> | undefined => {
    const parcels: Array<Parcel> = []
    for (const key of keys) {
      const value = db.read(key)
      if (value === undefined) continue
      const payload = writer.of(value)
      if (payload === undefined) return undefined
      parcels.push({ key, payload, deadline: db.deadline(key) })
    }
    return parcels
  }

  const migrate = Command.suspending({
    name: "migrate",
    summary: "Atomically transfer a key from a Redis instance to another one.",
    since: "2.6.0",
    group: "generic",
    complexity:
      "This command actually executes a DUMP+DEL in the source instance, and a RESTORE in the target instance. See the pages of these commands for time complexity. Also an O(N) data transfer between the two instances is performed.",
    history: [
      ["3.0.0", "Added the `COPY` and `REPLACE` options."],
      ["3.0.6", "Added the `KEYS` option."],
      ["4.0.7", "Added the `AUTH` option."],
      ["6.0.0", "Added the `AUTH2` option."],
    ],
    arity: -6,
    flags: "write",
    acl: "keyspace dangerous",
    tips: ["nondeterministic_output"],
    keys: [Key.at(3, "RW access delete"), Key.after("KEYS", -2, "RW access delete incomplete", { last: -1 })],
    args: [
      Arg.string("host"),
      Arg.integer("port"),
      Arg.oneOf("key_or_empty_string", [Arg.key("key"), Arg.token("", { name: "empty_string" })]),
      Arg.integer("destination-db"),
      Arg.integer("timeout"),
      Arg.token("COPY", { optional: true, since: "3.0.0" }),
      Arg.token("REPLACE", { optional: true, since: "3.0.0" }),
      Arg.oneOf(
        "authentication",
        [
          Arg.string("password", { token: "AUTH", optional: true, since: "4.0.7" }),
          Arg.block("username_password", [Arg.string("username"), Arg.string("password")], {
            token: "AUTH2",
            optional: true,
            since: "6.0.0",
          }),
        ],
        { optional: true },
      ),
      Arg.key("key", { token: "KEYS", keySpec: 1, optional: true, multiple: true, since: "3.0.6" }),
    ],
    keysOf,
    parse,
    run: (request, ctx) => {
      const parcels = pack(request.keys, ctx)
      if (parcels === undefined) return Either.left(ReplyTooLong.error)
      if (parcels.length === 0) return Either.right(noKey)
      if (ctx.nested) return Either.left(MigrationRefused.nested)
      return transfer(services, request, parcels, ctx)
    },
  })

  return [migrate]
})
