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
import { ok } from "../../command/Answers.ts"
import { type Client, isLocal } from "../../command/Client.ts"
import { Clients, outputPeakPeriodDefaultMs } from "../../command/Clients.ts"
import * as Command from "../../command/Command.ts"
import { helpText } from "../../command/Help.ts"
import { Config } from "../../config/Config.ts"
import { type CommandError, InvalidArgument, NoSuchKey, NotInteger, WrongForm } from "../../errors/CommandError.ts"
import { Persistence } from "../../persistence/Persistence.ts"
import { ByteWriter } from "../../persistence/rdb/ByteWriter.ts"
import { StoreEncoder } from "../../persistence/rdb/StoreEncoder.ts"
import { Replication } from "../../replication/Replication.ts"
import { ScriptEngine } from "../../scripting/ScriptEngine.ts"
import { idleSeconds } from "../../store/Access.ts"
import { StringBuffer } from "../../store/StringBuffer.ts"
import { bytesOf, encodingOf, type StringValue, typeOf } from "../../store/Value.ts"
import { digestOfAll, digestOfKey } from "./Digest.ts"
import { protocolExample } from "./ProtocolExamples.ts"

const notAllowed = new InvalidArgument(
  'DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.',
)
const badThreshold = new InvalidArgument("argument must be a memory value bigger than 1 and smaller than 4gb")

const notText = new InvalidArgument("Not an sds encoded string.")

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
  /** What HELP says: the words it takes, and a sentence. */
  readonly usage: string
  readonly about: string
  readonly least: number
  readonly most: number
  readonly answer: Answer
}

/** DEBUG. */
export const debugCommands = Effect.gen(function* () {
  const clients = yield* Clients
  const clock = yield* Clock
  const config = yield* Config
  const persistence = yield* Persistence
  const replication = yield* Replication
  const scripts = yield* ScriptEngine

  const isAllowed = (client: Client): boolean => {
    const setting = config.current.enableDebugCommand
    return setting === "yes" || (setting === "local" && isLocal(client))
  }

  const sleep: Answer = ([seconds], { now }) => {
    const ms = Math.max(0, Math.round((parseDouble(seconds!) ?? 0) * 1000))
    if (ms === 0) return ok
    clients.pauseUntil("sleep", now + ms, "all")
    return Effect.as(clock.sleepUntil(now + ms), Reply.ok)
  }

  const describe: Answer = ([key], { db, now }) => {
    // Also of a key past its deadline that is still there.
    const value = db.keyspace.peek(key!)
    if (value === undefined) return Either.left(NoSuchKey.error)
    const out = new ByteWriter(256, config.current.rdbcompression)
    new StoreEncoder(out, config.current).value(value)
    const stamp = db.keyspace.access(key!)
    const idle = idleSeconds(stamp, now)
    return Either.right(
      Reply.simple(
        `Value at:0x0 refcount:1 encoding:${encodingOf(value)} serializedlength:${out.size} lru:${stamp} lru_seconds_idle:${idle}`,
      ),
    )
  }

  const lengths: Answer = ([key], { db }) => {
    const value = db.peek(key!)
    if (value === undefined) return Either.left(NoSuchKey.error)
    if (typeOf(value) !== "string" || encodingOf(value) === "int") return Either.left(notText)
    const length = bytesOf(value as StringValue).length
    const room = value instanceof StringBuffer ? value.bytes.length : length
    const ofKey = `key_sds_len:${key!.length}, key_sds_avail:0, key_zmalloc: ${key!.length}`
    return Either.right(
      Reply.simple(`${ofKey}, val_sds_len:${length}, val_sds_avail:${room - length}, val_zmalloc: ${room}`),
    )
  }

  const replyBuffer: Answer = ([setting, value]) => {
    // Replies are strings, not buffers that grow and shrink: there is nothing to resize.
    if (setting!.toUpperCase() === "RESIZING") return ok
    if (setting!.toUpperCase() !== "PEAK-RESET-TIME") return Either.left(WrongForm.of("DEBUG", "REPLYBUFFER"))
    const word = value!.toUpperCase()
    const ms = word === "NEVER" ? Infinity : word === "RESET" ? outputPeakPeriodDefaultMs : parseSafeInteger(value!)
    if (ms === undefined) return Either.left(NotInteger.error)
    clients.outputPeakPeriodMs = ms
    return ok
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
    const present = !options.has("NOFLUSH") ? "flush" : options.has("MERGE") ? "replace" : "keep"
    const loaded = persistence.reload("snapshot", present)
    return Effect.as(options.has("NOSAVE") ? loaded : Effect.zipRight(persistence.save, loaded), Reply.ok)
  }

  const subcommands: Record<string, Subcommand> = {
    RELOAD: {
      usage: "[NOSAVE] [NOFLUSH] [MERGE]",
      about: "Save a snapshot and load it again.",
      least: 0,
      most: 3,
      answer: reload,
    },
    LOADAOF: {
      usage: "",
      about: "Load the append-only log again.",
      least: 0,
      most: 0,
      answer: () => Effect.as(persistence.reload("log", "flush"), Reply.ok),
    },
    "SET-SKIP-CHECKSUM-VALIDATION": {
      usage: "(0|1)",
      about: "Take snapshots and DUMP payloads whatever their checksum is.",
      least: 1,
      most: 1,
      // Read as C's atoi does: what is no number is 0.
      answer: ([setting], { store }) => {
        store.verifiesChecksums = !(Number.parseInt(setting!, 10) || 0)
        return ok
      },
    },
    SLEEP: {
      usage: "<seconds>",
      about: "Hold back all requests for a while.",
      least: 1,
      most: 1,
      answer: sleep,
    },
    OBJECT: {
      usage: "<key>",
      about: "Tell how a value is kept.",
      least: 1,
      most: 2,
      answer: describe,
    },
    SDSLEN: {
      usage: "<key>",
      about: "Tell how long a key and its string are, and what room there is behind them.",
      least: 1,
      most: 1,
      answer: lengths,
    },
    "SET-DISABLE-DENY-SCRIPTS": {
      usage: "(0|1)",
      about: "Let scripts call commands that are not for scripts, or no longer.",
      least: 1,
      most: 1,
      answer: ([setting]) => {
        scripts.allowsAny = setting !== "0"
        return ok
      },
    },
    "SET-ACTIVE-EXPIRE": {
      usage: "(0|1)",
      about: "Stop or resume the removal of expired keys that nobody asks for.",
      least: 1,
      most: 1,
      answer: setActiveExpire,
    },
    POPULATE: {
      usage: "<count> [<prefix>] [<size>]",
      about: "Create <count> string keys named <prefix>:<number>.",
      least: 1,
      most: 3,
      answer: populate,
    },
    "STRINGMATCH-LEN": {
      usage: "<pattern> <text>",
      about: "Whether a glob pattern matches a text.",
      least: 2,
      most: 2,
      answer: ([pattern, text]) => Either.right(Reply.flag(globMatch(pattern!, text!))),
    },
    DIGEST: {
      usage: "",
      about: "A digest of all data.",
      least: 0,
      most: 0,
      answer: (_, { store }) => Either.right(Reply.simple(digestOfAll(store.databases))),
    },
    "DIGEST-VALUE": {
      usage: "<key> [<key> ...]",
      about: "Digests of values.",
      least: 0,
      most: Infinity,
      answer: (keys, { db }) => Either.right(Reply.array(keys.map((key) => Reply.simple(digestOfKey(db, key))))),
    },
    PROTOCOL: {
      usage: "<type>",
      about: "Reply with an example of a protocol type.",
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
    ERROR: {
      usage: "<text>",
      about: "Reply with this error.",
      least: 1,
      most: 1,
      answer: ([text]) => Either.left(customError(text!)),
    },
    LOG: {
      usage: "<text>",
      about: "Write a line to the log.",
      least: 1,
      most: 1,
      answer: ([text]) => Effect.as(Effect.logWarning(`DEBUG LOG: ${toUtf8(text!)}`), Reply.ok),
    },
    "CONFIG-REWRITE-FORCE-ALL": {
      usage: "",
      about: "CONFIG REWRITE with every setting, those at their defaults too.",
      least: 0,
      most: 0,
      answer: () => Effect.as(config.rewriteAll, Reply.ok),
    },
    "CHANGE-REPL-ID": {
      usage: "",
      about: "Draw a new replication id.",
      least: 0,
      most: 0,
      answer: () => {
        replication.history.begin()
        return ok
      },
    },
    // Lists here have no nodes that could be packed or plain: the threshold is checked and changes nothing that shows.
    "QUICKLIST-PACKED-THRESHOLD": {
      usage: "<size>",
      about: "Accepted for tests of Redis; changes nothing.",
      least: 1,
      most: 1,
      answer: ([size]) => (/^\d+(b|k|kb|m|mb|g|gb)?$/i.test(size!) ? ok : Either.left(badThreshold)),
    },
    REPLYBUFFER: {
      usage: "PEAK-RESET-TIME (NEVER|RESET|<milliseconds>)",
      about: "For how long CLIENT LIST shows the most that was sent at once. RESIZING (0|1) changes nothing.",
      least: 2,
      most: 2,
      answer: replyBuffer,
    },
  }

  const helpReply = helpText(
    "debug",
    Object.entries(subcommands).flatMap(([name, { usage, about }]) => [`${name} ${usage}`.trimEnd(), `    ${about}`]),
  )

  const answer: Answer = ([name, ...words], ctx) => {
    if (!isAllowed(ctx.client)) return Either.left(notAllowed)
    if (name!.toUpperCase() === "HELP" && words.length === 0) return Either.right(helpReply)
    const subcommand = subcommands[name!.toUpperCase()]
    if (subcommand === undefined || words.length < subcommand.least || words.length > subcommand.most) {
      return Either.left(WrongForm.of("DEBUG", name!))
    }
    return subcommand.answer(words, ctx)
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
    parse: (args) => args.rest(),
    run: answer,
  })

  return [debug]
})
