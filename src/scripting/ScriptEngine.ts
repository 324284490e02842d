/**
 * The service that compiles and runs scripts. It knows no commands: a run is handed a function that executes one, so the
 * engine can be swapped (or left out) and tested without a server.
 *
 * The idea to hold: a script is kept under the SHA1 of its source, a function under its name in a library, and both run to
 * their end before anything else runs, unless they take so long that `run` gives a `Paused` instead of a reply.
 * The invariant: one script at a time.
 */
import * as Context from "effect/Context"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type { Reply } from "../codec/Reply.ts"
import type { CommandError } from "../errors/CommandError.ts"
import { ScriptRefused } from "../errors/ScriptErrors.ts"
import type { Flags } from "./Shebang.ts"

export interface Script {
  readonly sha: string
  readonly source: string
  /** What the script's first line says; absent when it has no such line, which means the rules from before Redis 7. */
  readonly flags: Flags | undefined
}

export interface LibraryFunction {
  readonly name: string
  readonly description: string | undefined
  readonly flags: Flags
}

export interface Library {
  readonly name: string
  /** The whole source, metadata line included. */
  readonly source: string
  readonly functions: ReadonlyArray<LibraryFunction>
}

/** What one run needs from the server. */
export interface Invocation {
  readonly keys: ReadonlyArray<string>
  readonly argv: ReadonlyArray<string>
  /** What the client speaks: it decides how the reply is made of the script's value. */
  readonly protocol: 2 | 3
  /** Executes a command; `protocol` is what the script speaks. Errors are replies. */
  readonly call: (argv: ReadonlyArray<string>, protocol: 2 | 3) => Reply
  /** Whether the user may run `argv`; undefined when there is no such command. */
  readonly aclAllows: (argv: ReadonlyArray<string>) => boolean | undefined
  /** `level` is 0 (debug) to 3 (warning). */
  readonly log: (level: number, message: string) => void
  /** `flags` is a sum of 1 (append log) and 2 (replicas): where the writes from now on go. */
  readonly setReplication: (flags: number) => void
  /** When the run begins, in Unix ms. */
  readonly nowMs: number
  /** After so many milliseconds the run is to pause, so that others can be answered; Infinity: never. */
  readonly pauseAfterMs: number
}

/** A script that has not ended in time. Nothing else may run on the engine before it has. */
export interface Paused {
  readonly _tag: "Paused"
  /** Goes on for at most about `sliceMs`. */
  readonly resume: (sliceMs: number) => Reply | Paused
  /** Ends the script here; the reply tells where it was. */
  readonly kill: (message: string) => Reply
}

export const nothingInstalled = { libraries: 0, functions: 0, bytes: 0 }

/** A script that has paused, and what others may do about it. Kept by the commands that run scripts. */
export interface SlowScript {
  readonly kind: "script" | "function"
  /** What other clients get. */
  readonly error: CommandError
  /** The function's name, or the script's SHA1. */
  readonly name: string
  /** The request that began it. */
  readonly argv: ReadonlyArray<string>
  readonly startedAtMs: number
  /** Asks it to end; the reason when it cannot. */
  readonly kill: () => CommandError | undefined
  /** It is not run any further, and what it changed is not logged: the server ends. */
  readonly abandon: () => void
}

export interface ScriptEngineService {
  /** Compiles a script, once for each source. */
  readonly load: (source: string) => Either.Either<Script, CommandError>
  /** The script of a SHA1 (in lower case) that has been loaded. */
  readonly find: (sha: string) => Script | undefined
  /** Forgets all scripts; libraries stay. */
  readonly flush: () => void
  readonly scriptCount: () => number
  readonly run: (script: Script, invocation: Invocation) => Reply | Paused
  /** Runs the source of a library, which registers its functions; `name` is the library's. Nothing is installed by that. */
  readonly evaluate: (name: string, source: string) => Either.Either<Library, CommandError>
  /** Tells that a library will not be used again. */
  readonly forget: (library: Library) => void
  readonly runFunction: (library: Library, name: string, invocation: Invocation) => Reply | Paused
  /** The script that has not ended in time, while it is so. */
  slow: SlowScript | undefined
  /** Whether scripts may call commands that are not for scripts, as DEBUG SET-DISABLE-DENY-SCRIPTS says. */
  allowsAny: boolean
  /** Bytes that the interpreters hold; 0 before the first script or function. */
  readonly memoryBytes: () => { readonly scripts: number; readonly functions: number }
  /** Bytes of the sources of all scripts. */
  readonly scriptBytes: () => number
  /** What is installed; kept by Libraries. */
  installed: { readonly libraries: number; readonly functions: number; readonly bytes: number }
}

export class ScriptEngine extends Context.Tag("tiny-redis/ScriptEngine")<ScriptEngine, ScriptEngineService>() {
  /** No scripting: every script is refused. For embedding without the interpreter. */
  static readonly layerNoop = Layer.sync(this, (): ScriptEngineService => ({
    load: () => Either.left(ScriptRefused.unavailable),
    find: () => undefined,
    flush: () => undefined,
    scriptCount: () => 0,
    run: refuse,
    evaluate: () => Either.left(ScriptRefused.unavailable),
    forget: () => undefined,
    runFunction: refuse,
    slow: undefined,
    allowsAny: false,
    memoryBytes: () => ({ scripts: 0, functions: 0 }),
    scriptBytes: () => 0,
    installed: nothingInstalled,
  }))
}

const refuse = (): Reply => ({
  _tag: "Failure",
  code: ScriptRefused.unavailable.code,
  message: ScriptRefused.unavailable.message,
})
