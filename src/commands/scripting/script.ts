/**
 * SCRIPT: the cache of scripts, and the end of one that does not end.
 *
 * Differs: there is no debugger, so SCRIPT DEBUG only answers.
 */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import { help } from "../../command/Help.ts"
import { Busy, NotBusy, ScriptRefused } from "../../errors/ScriptErrors.ts"
import type { ScriptEngineService } from "../../scripting/ScriptEngine.ts"

const flushOption = new ScriptRefused("SCRIPT FLUSH only support SYNC|ASYNC option")
const debugOption = new ScriptRefused("Use SCRIPT DEBUG YES/SYNC/NO")

export const scriptCommand = (engine: ScriptEngineService): Command.Command => {
  const load = Command.make({
    name: "script|load",
    summary: "Load the specified Lua script into the script cache.",
    since: "2.6.0",
    group: "scripting",
    complexity: "O(N) with N being the length in bytes of the script body.",
    arity: 3,
    flags: "noscript stale",
    acl: "scripting",
    tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
    args: [Arg.string("script")],
    parse: (args) => args.next(),
    run: (source) => Either.map(engine.load(source), ({ sha }) => Reply.bulk(sha)),
  })

  const exists = Command.make({
    name: "script|exists",
    summary: "Check existence of scripts in the script cache.",
    since: "2.6.0",
    group: "scripting",
    complexity: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
    arity: -3,
    flags: "noscript",
    acl: "scripting",
    tips: ["request_policy:all_shards", "response_policy:agg_logical_and"],
    args: [Arg.string("sha1", { multiple: true })],
    parse: (args) => args.rest(),
    run: (shas) =>
      Either.right(Reply.array(shas.map((sha) => Reply.flag(engine.find(sha.toLowerCase()) !== undefined)))),
  })

  const flush = Command.make({
    name: "script|flush",
    summary: "Remove all the scripts from the script cache.",
    since: "2.6.0",
    group: "scripting",
    complexity: "O(N) with N being the number of scripts in cache",
    history: [["6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers."]],
    arity: -2,
    flags: "noscript",
    acl: "scripting",
    tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
    args: [Arg.oneOf("async", [Arg.token("ASYNC"), Arg.token("SYNC")], { optional: true, since: "6.2.0" })],
    parse: (args) => {
      if (!args.more || (args.left === 1 && (args.option("SYNC") || args.option("ASYNC")))) return
      throw flushOption
    },
    run: () => {
      engine.flush()
      return Either.right(Reply.ok)
    },
  })

  const kill = Command.make({
    name: "script|kill",
    summary: "Kill the script currently in execution.",
    since: "2.6.0",
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
      if (slow.kind === "function") return Either.left(Busy.function)
      const refused = slow.kill()
      return refused === undefined ? Either.right(Reply.ok) : Either.left(refused)
    },
  })

  const debug = Command.make({
    name: "script|debug",
    summary: "Set the debug mode for executed scripts.",
    since: "3.2.0",
    group: "scripting",
    complexity: "O(1)",
    arity: 3,
    flags: "noscript",
    acl: "scripting",
    args: [Arg.oneOf("mode", [Arg.token("YES"), Arg.token("SYNC"), Arg.token("NO")])],
    parse: (args) => {
      if (!(args.option("NO") || args.option("YES") || args.option("SYNC"))) throw debugOption
    },
    run: () => Either.right(Reply.ok),
  })

  const scriptHelp = help(
    "script",
    {
      summary: "Show helpful text about the different subcommands",
      since: "5.0.0",
      group: "scripting",
      complexity: "O(1)",
      flags: "loading stale",
      acl: "scripting",
    },
    [
      "DEBUG (YES|SYNC|NO)",
      "    Set the debug mode for subsequent scripts executed.",
      "EXISTS <sha1> [<sha1> ...]",
      "    Return information about the existence of the scripts in the script cache.",
      "FLUSH [ASYNC|SYNC]",
      "    Flush the Lua scripts cache. Very dangerous on replicas.",
      "    When called without the optional mode argument, the behavior is determined by the",
      "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
      "    * ASYNC: Asynchronously flush the scripts cache.",
      "    * SYNC: Synchronously flush the scripts cache.",
      "KILL",
      "    Kill the currently executing Lua script.",
      "LOAD <script>",
      "    Load a script into the scripts cache without executing it.",
    ],
  )

  return Command.container({
    name: "script",
    summary: "A container for Lua scripts management commands",
    since: "2.6.0",
    group: "scripting",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: "",
    subcommands: [debug, scriptHelp, exists, flush, load, kill],
  })
}
