/**
 * DEBUG: what test tools ask of a server, as far as this one has it. Allowed as `enable-debug-command` says.
 *
 * Differs: SLEEP holds back all requests for that time instead of standing still; subcommands about memory layouts, crashes and
 * parts this server does not have are unknown.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { flat, toUtf8 } from "../../bytes/Bytes.ts"
import { globMatch } from "../../bytes/Glob.ts"
import { parseDouble, parseSafeInteger } from "../../bytes/Numbers.ts"
import { Clock } from "../../clock/Clock.ts"
import * as Reply from "../../codec/Reply.ts"
import type { Args } from "../../command/Args.ts"
import { type Client, isLocal } from "../../command/Client.ts"
import { Clients } from "../../command/Clients.ts"
import * as Command from "../../command/Command.ts"
import { Stats } from "../../command/Stats.ts"
import { Config } from "../../config/Config.ts"
import { type CommandError, InvalidArgument, NoSuchKey, WrongForm } from "../../errors/CommandError.ts"
import { Persistence } from "../../persistence/Persistence.ts"
import { ByteWriter } from "../../persistence/rdb/ByteWriter.ts"
import { StoreEncoder } from "../../persistence/rdb/StoreEncoder.ts"
import { idleSeconds } from "../../store/Access.ts"
import { encodingOf } from "../../store/Value.ts"
import { digestOfAll, digestOfKey } from "./Digest.ts"
import { protocolExample } from "./ProtocolExamples.ts"

const notAllowed = new InvalidArgument(
  'DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.',
)
const badThreshold = new InvalidArgument("argument must be a memory value bigger than 1 and smaller than 4gb")

const needsResp3 = new InvalidArgument("RESP2 is not supported by this command")

/** An error reply with any text: its first word is the code. */
const customError = (text: string): CommandError => {
  const space = text.indexOf(" ")
  return Object.assign(new InvalidArgument(space < 0 ? "" : text.slice(space + 1)), {
    code: space < 0 ? text : text.slice(0, space),
  })
}

type Answer = (words: ReadonlyArray<string>, ctx: Command.Ctx) => Command.Result

/** One subcommand: how many words it takes after its name, and what it does. */
interface Subcommand {
  readonly least: number
  readonly most: number
  readonly answer: Answer
}

const ok = Either.right(Reply.ok)

/** DEBUG. */
export const debugCommands = Effect.gen(function* () {
  const clients = yield* Clients
  const clock = yield* Clock
  const config = yield* Config
  const persistence = yield* Persistence
  const stats = yield* Stats

  const isAllowed = (client: Client): boolean => {
    const setting = config.current.enableDebugCommand
    return setting === "yes" || (setting === "local" && isLocal(client))
  }

  const sleep: Answer = ([seconds], { now }) => {
    const ms = Math.max(0, Math.round((parseDouble(seconds!) ?? 0) * 1000))
    if (ms === 0) return ok
    clients.pauseUntil(now + ms, "all")
    return Effect.as(clock.sleepUntil(now + ms), Reply.ok)
  }

  const describe: Answer = ([key], { db, now }) => {
    const value = db.peek(key!)
    if (value === undefined) return Either.left(NoSuchKey.error)
    const out = new ByteWriter(256, config.current.rdbcompression)
    new StoreEncoder(out, config.current).value(value)
    const stamp = db.keyspace.access(key!)
    const idle = idleSeconds(stamp, now)
    return Either.right(
      Reply.simple(
        `Value at:0x0 refcount:1 encoding:${encodingOf(value)} serializedlength:${out.length} lru:${stamp} lru_seconds_idle:${idle}`,
      ),
    )
  }

  const populate: Answer = ([count, prefix = "key", size], { db }) => {
    const total = parseSafeInteger(count!)
    if (total === undefined || total < 0)
      return Either.left(new InvalidArgument("value is out of range, must be positive"))
    const length = size === undefined ? undefined : parseSafeInteger(size)
    for (let i = 0; i < total; i++) {
      const key = `${flat(prefix)}:${i}`
      if (db.has(key)) continue
      const text = `value:${i}`
      db.set(key, length === undefined ? text : text.slice(0, length).padEnd(length, "\0"))
      db.signal(key, 0)
    }
    return ok
  }

  const setActiveExpire: Answer = ([setting], { store, db }) => {
    store.activeExpire = setting !== "0"
    // Deadlines that passed meanwhile were dropped from the queue.
    if (store.activeExpire) db.announceReplaced()
    return ok
  }

  const badReload = new InvalidArgument("DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
  const reload: Answer = (words) => {
    const options = new Set(words.map((word) => word.toUpperCase()))
    for (const option of options) if (!["MERGE", "NOFLUSH", "NOSAVE"].includes(option)) return Either.left(badReload)
    const loaded = persistence.reload({ from: "snapshot", flush: !options.has("NOFLUSH") })
    return Effect.as(options.has("NOSAVE") ? loaded : Effect.zipRight(persistence.save, loaded), Reply.ok)
  }

  const subcommands: Record<string, Subcommand> = {
    RELOAD: { least: 0, most: 3, answer: reload },
    LOADAOF: {
      least: 0,
      most: 0,
      answer: () => Effect.as(persistence.reload({ from: "log", flush: true }), Reply.ok),
    },
    SLEEP: { least: 1, most: 1, answer: sleep },
    OBJECT: { least: 1, most: 2, answer: describe },
    "SET-ACTIVE-EXPIRE": { least: 1, most: 1, answer: setActiveExpire },
    POPULATE: { least: 1, most: 3, answer: populate },
    "STRINGMATCH-LEN": {
      least: 2,
      most: 2,
      answer: ([pattern, text]) => Either.right(Reply.flag(globMatch(pattern!, text!))),
    },
    DIGEST: { least: 0, most: 0, answer: (_, { store }) => Either.right(Reply.simple(digestOfAll(store.databases))) },
    "DIGEST-VALUE": {
      least: 0,
      most: Infinity,
      answer: (keys, { db }) => Either.right(Reply.array(keys.map((key) => Reply.simple(digestOfKey(db, key))))),
    },
    PROTOCOL: {
      least: 1,
      most: 1,
      answer: ([type], { client }) => {
        if (type!.toLowerCase() === "push" && client.protocol === 2) return Either.left(needsResp3)
        const example = protocolExample(type!.toLowerCase(), client.protocol)
        return example === undefined
          ? Either.left(
              new InvalidArgument(
                "Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
              ),
            )
          : Either.right(example)
      },
    },
    ERROR: { least: 1, most: 1, answer: ([text]) => Either.left(customError(text!)) },
    LOG: {
      least: 1,
      most: 1,
      answer: ([text]) => Effect.as(Effect.logWarning(`DEBUG LOG: ${toUtf8(text!)}`), Reply.ok),
    },
    "CHANGE-REPL-ID": {
      least: 0,
      most: 0,
      answer: () => {
        stats.changeReplicationId()
        return ok
      },
    },
    // Lists here have no nodes that could be packed or plain: the threshold is checked and changes nothing that shows.
    "QUICKLIST-PACKED-THRESHOLD": {
      least: 1,
      most: 1,
      answer: ([size]) => (/^\d+(b|k|kb|m|mb|g|gb)?$/i.test(size!) ? ok : Either.left(badThreshold)),
    },
    // Replies are strings, not buffers that grow and shrink: there is nothing to resize.
    REPLYBUFFER: { least: 2, most: 2, answer: () => ok },
  }

  const parse = (args: Args): { readonly words: ReadonlyArray<string>; readonly answer: Answer } => {
    const name = args.next()
    const words = args.rest()
    const subcommand = subcommands[name.toUpperCase()]
    if (subcommand === undefined || words.length < subcommand.least || words.length > subcommand.most) {
      return args.fail(WrongForm.of("DEBUG", name))
    }
    return { words, answer: subcommand.answer }
  }

  const debug = Command.suspending({
    name: "debug",
    summary: "A container for debugging commands",
    since: "1.0.0",
    group: "server",
    complexity: "Depends on subcommand.",
    docFlags: "syscmd",
    arity: -2,
    flags: "admin noscript loading stale",
    parse,
    run: ({ words, answer }, ctx) => (isAllowed(ctx.client) ? answer(words, ctx) : Either.left(notAllowed)),
  })

  return [debug]
})
