/**
 * FUNCTION, FCALL and FCALL_RO: libraries of named functions, which are data like keys: logged, in snapshots, dumped and restored.
 */
import * as Either from "effect/Either"
import { globMatch } from "../../bytes/Glob.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import { help } from "../../command/Help.ts"
import * as Key from "../../command/Key.ts"
import type { ConfigService } from "../../config/Config.ts"
import { WrongForm } from "../../errors/CommandError.ts"
import { BadPayload } from "../../errors/PersistenceErrors.ts"
import { Busy, NotBusy, ScriptRefused } from "../../errors/ScriptErrors.ts"
import { ByteReader } from "../../persistence/rdb/ByteReader.ts"
import { ByteWriter } from "../../persistence/rdb/ByteWriter.ts"
import { Damaged, Opcode } from "../../persistence/rdb/Format.ts"
import * as Payload from "../../persistence/rdb/Payload.ts"
import type { Libraries, RestorePolicy } from "../../scripting/Libraries.ts"
import type { Library, ScriptEngineService } from "../../scripting/ScriptEngine.ts"
import { flagNames } from "../../scripting/Shebang.ts"
import { given } from "./eval.ts"
import { type Given, run, type RunServices } from "./running.ts"

interface Call extends Given {
  readonly name: string
}

/** FCALL and FCALL_RO. */
export const callCommands = (services: RunServices, libraries: Libraries): ReadonlyArray<Command.Command> => {
  const parse =
    (readOnly: boolean) =>
    (args: Args): Call => {
      const name = args.next()
      // A function that does not exist is reported before anything is said about the keys.
      if (libraries.find(name) === undefined) throw ScriptRefused.functionMissing
      return { name, ...given(args, readOnly, ScriptRefused.keysNotNumber) }
    }
  const mayWrite = ([, name]: ReadonlyArray<string>): boolean | undefined => {
    const found = libraries.find(name!)
    return found === undefined ? undefined : !found.definition.flags.has("no-writes")
  }
  const call = (request: Call, ctx: Command.Ctx): Command.Result => {
    const { library, definition } = libraries.find(request.name)!
    return run(
      services,
      {
        kind: "function",
        name: definition.name,
        flags: definition.flags,
        run: (invocation) => services.engine.runFunction(library, definition.name, invocation),
      },
      request,
      ctx,
    )
  }
  return [
    Command.suspending({
      name: "fcall",
      summary: "Invoke a function",
      since: "7.0.0",
      group: "scripting",
      complexity: "Depends on the function that is executed.",
      arity: -3,
      flags: "noscript stale skip_monitor no_mandatory_keys",
      acl: "scripting",
      keys: [
        Key.counted(2, "RW access update", {
          notes: "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
        }),
      ],
      args: [
        Arg.string("function"),
        Arg.integer("numkeys"),
        Arg.key("key", { optional: true, multiple: true }),
        Arg.string("arg", { optional: true, multiple: true }),
      ],
      mayWrite,
      parse: parse(false),
      run: call,
    }),
    Command.suspending({
      name: "fcall_ro",
      summary: "Invoke a read-only function",
      since: "7.0.0",
      group: "scripting",
      complexity: "Depends on the function that is executed.",
      arity: -3,
      flags: "readonly noscript stale skip_monitor no_mandatory_keys",
      acl: "scripting",
      keys: [
        Key.counted(2, "RO access", {
          notes: "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
        }),
      ],
      args: [
        Arg.string("function"),
        Arg.integer("numkeys"),
        Arg.key("key", { optional: true, multiple: true }),
        Arg.string("arg", { optional: true, multiple: true }),
      ],
      mayWrite,
      parse: parse(true),
      run: call,
    }),
  ]
}

const flushOption = new ScriptRefused("FUNCTION FLUSH only supports SYNC|ASYNC option")
const policyMissing = new ScriptRefused("Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
const notLibraries = new ScriptRefused("failed loading functions payload")
const nameMissing = new ScriptRefused("library name argument was not given")

/** The sources in an opened payload of FUNCTION DUMP; undefined when it holds anything else. */
const sourcesOf = (bytes: Buffer): ReadonlyArray<string> | undefined => {
  try {
    const reader = new ByteReader(bytes)
    const sources: Array<string> = []
    while (reader.position < bytes.length) {
      if (reader.byte() !== Opcode.function) return undefined
      sources.push(reader.string())
    }
    return sources
  } catch (cause) {
    if (cause instanceof Damaged) return undefined
    throw cause
  }
}

const describe = (library: Library, withCode: boolean): Reply.Reply =>
  Reply.record({
    library_name: Reply.bulk(library.name),
    engine: Reply.bulk("LUA"),
    functions: Reply.array(
      library.functions.map(({ name, description, flags }) =>
        Reply.record({
          name: Reply.bulk(name),
          description: Reply.bulkOrNil(description),
          flags: Reply.set(flagNames.filter((flag) => flags.has(flag)).map(Reply.simple)),
        }),
      ),
    ),
    ...(withCode ? { library_code: Reply.bulk(library.source) } : {}),
  })

export const functionCommand = (
  engine: ScriptEngineService,
  libraries: Libraries,
  config: ConfigService,
): Command.Command => {
  const load = Command.make({
    name: "function|load",
    summary: "Create a function with the given arguments (name, code, description)",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(1) (considering compilation time is redundant)",
    arity: -3,
    flags: "write denyoom noscript",
    acl: "scripting",
    tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
    args: [Arg.token("REPLACE", { optional: true }), Arg.string("function-code")],
    parse: (args) => {
      const replace = args.left > 1 && args.option("REPLACE")
      if (args.left > 1) throw new ScriptRefused(`Unknown option given: ${args.next()}`)
      return { replace, source: args.next() }
    },
    run: ({ replace, source }, { db }) =>
      Either.map(libraries.load(source, replace), (name) => {
        db.touched()
        return Reply.bulk(name)
      }),
  })

  const remove = Command.make({
    name: "function|delete",
    summary: "Delete a function by name",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(1)",
    arity: 3,
    flags: "write noscript",
    acl: "scripting",
    tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
    args: [Arg.string("library-name")],
    parse: (args) => args.next(),
    run: (name, { db }) =>
      Either.map(libraries.delete(name), () => {
        db.touched()
        return Reply.ok
      }),
  })

  const flush = Command.make({
    name: "function|flush",
    summary: "Deleting all functions",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(N) where N is the number of functions deleted",
    arity: -2,
    flags: "write noscript",
    acl: "scripting",
    tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
    args: [Arg.oneOf("async", [Arg.token("ASYNC"), Arg.token("SYNC")], { optional: true })],
    parse: (args) => {
      if (args.left > 1) throw WrongForm.of("FUNCTION", args.argv[1]!)
      if (args.more && !(args.option("SYNC") || args.option("ASYNC"))) throw flushOption
    },
    run: (_, { db }) => {
      libraries.flush()
      db.touched()
      return Either.right(Reply.ok)
    },
  })

  const list = Command.make({
    name: "function|list",
    summary: "List information about all the functions",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(N) where N is the number of functions",
    arity: -2,
    flags: "noscript",
    acl: "scripting",
    tips: ["nondeterministic_output_order"],
    args: [
      Arg.string("library-name-pattern", { token: "LIBRARYNAME", optional: true }),
      Arg.token("WITHCODE", { optional: true }),
    ],
    parse: (args) => {
      let pattern: string | undefined
      let withCode = false
      while (args.more) {
        if (!withCode && args.option("WITHCODE")) withCode = true
        else if (pattern === undefined && args.option("LIBRARYNAME")) {
          if (!args.more) throw nameMissing
          pattern = args.next()
        } else throw new ScriptRefused(`Unknown argument ${args.next()}`)
      }
      return { pattern, withCode }
    },
    run: ({ pattern, withCode }) =>
      Either.right(
        Reply.array(
          libraries.all
            .filter(({ name }) => pattern === undefined || globMatch(pattern, name, true))
            .map((library) => describe(library, withCode)),
        ),
      ),
  })

  const stats = Command.make({
    name: "function|stats",
    summary: "Return information about the function currently running (name, description, duration)",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(1)",
    arity: 2,
    flags: "noscript allow_busy",
    acl: "scripting",
    tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    parse: () => undefined,
    run: (_, { now }) => {
      const { slow } = engine
      if (slow?.kind === "script") return Either.left(Busy.script)
      const running =
        slow === undefined
          ? Reply.nil
          : Reply.record({
              name: Reply.bulk(slow.name),
              command: Reply.bulks(slow.argv),
              duration_ms: Reply.int(now - slow.startedAtMs),
            })
      const counts = Reply.record({
        libraries_count: Reply.int(libraries.all.length),
        functions_count: Reply.int(libraries.functionCount),
      })
      return Either.right(Reply.record({ running_script: running, engines: Reply.record({ LUA: counts }) }))
    },
  })

  const dump = Command.make({
    name: "function|dump",
    summary: "Dump all functions into a serialized binary payload",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(N) where N is the number of functions",
    arity: 2,
    flags: "noscript",
    acl: "scripting",
    parse: () => undefined,
    run: () => {
      const out = new ByteWriter(1024, config.current.rdbcompression)
      for (const { source } of libraries.all) {
        out.byte(Opcode.function)
        out.string(source)
      }
      return Either.right(Reply.bulk(Payload.seal(out)))
    },
  })

  const restore = Command.make({
    name: "function|restore",
    summary: "Restore all the functions on the given payload",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(N) where N is the number of functions on the payload",
    arity: -3,
    flags: "write denyoom noscript",
    acl: "scripting",
    tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
    args: [
      Arg.string("serialized-value"),
      Arg.oneOf("policy", [Arg.token("FLUSH"), Arg.token("APPEND"), Arg.token("REPLACE")], { optional: true }),
    ],
    parse: (args) => {
      const payload = args.next()
      let policy: RestorePolicy = "append"
      if (args.left > 1) throw WrongForm.of("FUNCTION", args.argv[1]!)
      if (args.more) {
        if (args.option("FLUSH")) policy = "flush"
        else if (args.option("REPLACE")) policy = "replace"
        else if (!args.option("APPEND")) throw policyMissing
      }
      return { payload, policy }
    },
    run: ({ payload, policy }, { db, store }) => {
      const opened = Payload.open(payload, store.verifiesChecksums)
      if (opened === undefined) return Either.left(BadPayload.checksum)
      const sources = sourcesOf(opened)
      if (sources === undefined) return Either.left(notLibraries)
      return Either.map(libraries.restore(sources, policy), () => {
        db.touched()
        return Reply.ok
      })
    },
  })

  const kill = Command.make({
    name: "function|kill",
    summary: "Kill the function currently in execution.",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(1)",
    arity: 2,
    flags: "noscript allow_busy",
    acl: "scripting",
    tips: ["request_policy:all_shards", "response_policy:one_succeeded"],
    parse: () => undefined,
    run: () => {
      const { slow } = engine
      if (slow === undefined) return Either.left(NotBusy.error)
      if (slow.kind === "script") return Either.left(Busy.script)
      const refused = slow.kill()
      return refused === undefined ? Either.right(Reply.ok) : Either.left(refused)
    },
  })

  const functionHelp = help(
    "function",
    {
      summary: "Show helpful text about the different subcommands",
      since: "7.0.0",
      group: "scripting",
      complexity: "O(1)",
      flags: "loading stale",
      acl: "scripting",
    },
    [
      "LOAD [REPLACE] <FUNCTION CODE>",
      "    Create a new library with the given library name and code.",
      "DELETE <LIBRARY NAME>",
      "    Delete the given library.",
      "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
      "    Return general information on all the libraries:",
      "    * Library name",
      "    * The engine used to run the Library",
      "    * Library description",
      "    * Functions list",
      "    * Library code (if WITHCODE is given)",
      "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
      "STATS",
      "    Return information about the current function running:",
      "    * Function name",
      "    * Command used to run the function",
      "    * Duration in MS that the function is running",
      "    If no function is running, return nil",
      "    In addition, returns a list of available engines.",
      "KILL",
      "    Kill the current running function.",
      "FLUSH [ASYNC|SYNC]",
      "    Delete all the libraries.",
      "    When called without the optional mode argument, the behavior is determined by the",
      "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
      "    * ASYNC: Asynchronously flush the libraries.",
      "    * SYNC: Synchronously flush the libraries.",
      "DUMP",
      "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
      "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
      "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
      "    control how to handle existing libraries (default APPEND):",
      "    * FLUSH: delete all existing libraries.",
      "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
      "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
      "      libraries with the new libraries (notice that even on this option there is a chance of failure",
      "      in case of functions name collision with another library).",
    ],
  )

  return Command.container({
    name: "function",
    summary: "A container for function commands",
    since: "7.0.0",
    group: "scripting",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: "",
    subcommands: [flush, load, remove, dump, list, restore, functionHelp, kill, stats],
  })
}
