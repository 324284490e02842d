/**
 * EVAL, EVALSHA and their read-only forms.
 *
 * The idea to hold: what a script does is in scripting/ (the language) and running.ts (the run); a request of this family only names
 * a script and gives it words.
 */
import * as Either from "effect/Either"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import type { CommandError } from "../../errors/CommandError.ts"
import { NoScript, ScriptRefused } from "../../errors/ScriptErrors.ts"
import type { Script } from "../../scripting/ScriptEngine.ts"
import * as Shebang from "../../scripting/Shebang.ts"
import { type Given, run, type RunServices } from "./running.ts"

interface Request extends Given {
  /** The source, or its SHA1. */
  readonly script: string
}

/** The words after the script: how many are keys, the keys, the others. */
export const given = (args: Args, readOnly: boolean, notInteger?: CommandError): Given => {
  const count = args.int(notInteger)
  if (count > args.left) throw ScriptRefused.keysTooMany
  if (count < 0) throw ScriptRefused.keysNegative
  const words = args.rest()
  return { keys: words.slice(0, count), argv: words.slice(count), readOnly }
}

const shaLength = 40

export const evalCommands = (services: RunServices): ReadonlyArray<Command.Command> => {
  const { engine } = services
  const bySource = ({ script }: Request) => engine.load(script)
  const scriptOf = (sha: string): Either.Either<Script, CommandError> => {
    const found = engine.find(sha) ?? engine.find(sha.toLowerCase())
    return found === undefined ? Either.left(NoScript.error) : Either.right(found)
  }
  const bySha = ({ script }: Request) => scriptOf(script)
  const mayWrite = (script: Either.Either<Pick<Script, "flags">, CommandError>): boolean | undefined =>
    Either.isLeft(script) || script.right.flags === undefined ? undefined : !script.right.flags.has("no-writes")
  const mayWriteSource = ([, source]: ReadonlyArray<string>) => mayWrite(Shebang.ofScript(source!))
  const mayWriteSha = ([, sha]: ReadonlyArray<string>) => mayWrite(scriptOf(sha!))
  const parse =
    (readOnly: boolean) =>
    (args: Args): Request => ({ script: args.next(), ...given(args, readOnly) })
  const parseSha =
    (readOnly: boolean) =>
    (args: Args): Request => {
      if (args.peek()?.length !== shaLength) throw NoScript.error
      return parse(readOnly)(args)
    }
  const running =
    (find: (request: Request) => Either.Either<Script, CommandError>) =>
    (request: Request, ctx: Command.Ctx): Command.Result => {
      const found = find(request)
      if (Either.isLeft(found)) return Either.left(found.left)
      const script = found.right
      return run(
        services,
        { kind: "script", name: script.sha, flags: script.flags, run: (invocation) => engine.run(script, invocation) },
        request,
        ctx,
      )
    }

  return [
    Command.suspending({
      name: "eval",
      summary: "Execute a Lua script server side",
      since: "2.6.0",
      group: "scripting",
      complexity: "Depends on the script that is executed.",
      arity: -3,
      flags: "noscript stale skip_monitor no_mandatory_keys",
      acl: "scripting",
      keys: [
        Key.counted(2, "RW access update", {
          notes: "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
        }),
      ],
      args: [
        Arg.string("script"),
        Arg.integer("numkeys"),
        Arg.key("key", { optional: true, multiple: true }),
        Arg.string("arg", { optional: true, multiple: true }),
      ],
      mayWrite: mayWriteSource,
      parse: parse(false),
      run: running(bySource),
    }),
    Command.suspending({
      name: "evalsha",
      summary: "Execute a Lua script server side",
      since: "2.6.0",
      group: "scripting",
      complexity: "Depends on the script that is executed.",
      arity: -3,
      flags: "noscript stale skip_monitor no_mandatory_keys",
      acl: "scripting",
      keys: [Key.counted(2, "RW access update")],
      args: [
        Arg.string("sha1"),
        Arg.integer("numkeys"),
        Arg.key("key", { optional: true, multiple: true }),
        Arg.string("arg", { optional: true, multiple: true }),
      ],
      mayWrite: mayWriteSha,
      parse: parseSha(false),
      run: running(bySha),
    }),
    Command.suspending({
      name: "eval_ro",
      summary: "Execute a read-only Lua script server side",
      since: "7.0.0",
      group: "scripting",
      complexity: "Depends on the script that is executed.",
      arity: -3,
      flags: "readonly noscript stale skip_monitor no_mandatory_keys",
      acl: "scripting",
      keys: [
        Key.counted(2, "RO access", {
          notes: "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
        }),
      ],
      args: [
        Arg.string("script"),
        Arg.integer("numkeys"),
        Arg.key("key", { optional: true, multiple: true }),
        Arg.string("arg", { optional: true, multiple: true }),
      ],
      mayWrite: mayWriteSource,
      parse: parse(true),
      run: running(bySource),
    }),
    Command.suspending({
      name: "evalsha_ro",
      summary: "Execute a read-only Lua script server side",
      since: "7.0.0",
      group: "scripting",
      complexity: "Depends on the script that is executed.",
      arity: -3,
      flags: "readonly noscript stale skip_monitor no_mandatory_keys",
      acl: "scripting",
      keys: [Key.counted(2, "RO access")],
      args: [
        Arg.string("sha1"),
        Arg.integer("numkeys"),
        Arg.key("key", { optional: true, multiple: true }),
        Arg.string("arg", { optional: true, multiple: true }),
      ],
      mayWrite: mayWriteSha,
      parse: parseSha(true),
      run: running(bySha),
    }),
  ]
}
