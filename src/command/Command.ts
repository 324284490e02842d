/**
 * What a command is: one module-level value that holds everything the server knows about it, and the function that runs it.
 *
 * The idea to hold: `parse` turns arguments into typed parameters and may throw a `CommandError`; `run` gets the parameters
 * and answers with an `Either`, which is an `Effect` that needs no fiber. `Command.make` is for what cannot wait,
 * `Command.suspending` for what may: the types tell which commands can.
 * The invariant: a `make` handler runs to its end without anything between; what it checked is still true when it acts.
 */
import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Reply } from "../codec/Reply.ts"
import { type CommandError, isCommandError } from "../errors/CommandError.ts"
import type { Database } from "../store/Database.ts"
import type { StoreService } from "../store/Store.ts"
import type { Limits } from "../store/Value.ts"
import type { Arg } from "./Arg.ts"
import type { Args } from "./Args.ts"
import type { Client } from "./Client.ts"
import type { Found, Key } from "./Key.ts"

/** What a handler is given beside its parameters. It is valid while the handler runs, and in the `attempt`s of its `wait`. */
export interface Ctx {
  readonly client: Client
  /** The database the client has selected. */
  readonly db: Database
  readonly store: StoreService
  /** The instant of this command, Unix ms. */
  readonly now: number
  /** Unix time in microseconds, read anew. */
  readonly nowMicros: () => number
  /** The request as it came, the command's name first. */
  readonly argv: ReadonlyArray<string>
  /** Encoding thresholds as configured. */
  readonly limits: Limits
  /** A whole number evenly distributed in [0, bound). */
  readonly below: (bound: number) => number
  /** Whether changes are logged at all: where not, what would be propagated need not be made. */
  readonly isLogged: boolean
  /**
   * What is logged and sent to replicas instead of the request, if the command changed data: the same change without
   * chance and relative time. Called with nothing, the command is not logged at all.
   */
  readonly propagateAs: (...requests: ReadonlyArray<ReadonlyArray<string>>) => void
  /** As `propagateAs`, for any number of requests: JavaScript takes about a hundred thousand arguments, not a million. */
  readonly propagateAll: (requests: ReadonlyArray<ReadonlyArray<string>>) => void
  /** Replicas are to run this too, although no data changed: PUBLISH. Valid where the command ends. */
  readonly tellReplicas: (argv: ReadonlyArray<string>) => void
  /**
   * Runs another command as this client, as EXEC does: it is counted and what it changes is logged, but it passes no gate (its
   * number of arguments is the caller's business) and cannot wait.
   */
  readonly call: (argv: ReadonlyArray<string>) => Reply
  /** As `call`, also for what takes its time (CONFIG REWRITE): that is to be done when everything else has been. */
  readonly begin: (argv: ReadonlyArray<string>) => Reply | Suspended
  /** How a script that this client runs calls commands. */
  readonly scriptCalls: (rules: ScriptRules) => ScriptCalls
  /** True inside of another command (EXEC), where nothing may wait. */
  readonly nested: boolean
  /**
   * Runs a later part of a command that waited, which sees the instant `at` (Unix ms): what it changes is propagated together,
   * and then blocked clients are served.
   */
  readonly unit: <A>(at: number, run: () => A) => A
  /** Parks the client until one of `keys` can serve it. Inside MULTI and scripts it answers `onTimeout` at once. */
  readonly wait: (waiting: Waiting) => Result
}

/** The answer of a command that has yet to be done. */
export interface Suspended {
  readonly _tag: "Suspended"
  readonly effect: Effect.Effect<Reply>
}

/** What a script may do. */
export interface ScriptRules {
  readonly readOnly: boolean
  /** The keys that it declares. */
  readonly keys: ReadonlyArray<string>
  /** It says itself what it does (Redis 7's flags): that it does not write, and that it may run where data is out of date. */
  readonly declared: { readonly noWrites: boolean; readonly allowStale: boolean } | undefined
  /** It may call commands that need memory when there is none. */
  readonly allowOom: boolean
}

/** Commands for one run of a script. */
export interface ScriptCalls {
  /** Runs a command; the handler sees a client that speaks `protocol`. Errors are replies. */
  readonly call: (argv: ReadonlyArray<string>, protocol: 2 | 3) => Reply
  /** Whether the user may run it; absent: there is no such command. */
  readonly allows: (argv: ReadonlyArray<string>) => boolean | undefined
  /** A sum of 1 (append log) and 2 (replicas): where the changes from now on go. */
  readonly setReplication: (flags: number) => void
  /** Whether a command that writes was called. */
  readonly wrote: () => boolean
  /** Why nothing of it may run: this server is a replica that is out of date, or not to be written to. */
  readonly refusal: CommandError | undefined
  /** Whether there was too little memory when the script began. */
  readonly outOfMemory: boolean
}

/** A parked command. */
export interface Waiting {
  readonly keys: ReadonlyArray<string>
  /** 0: for ever. */
  readonly timeoutMs: number
  /**
   * Called when `key` came into being or grew, with the store at that instant; `undefined` keeps waiting. A change it makes
   * is announced and propagated as a command of its own.
   */
  readonly attempt: (key: string) => Either.Either<Reply | undefined, CommandError>
  /** Whether what was at `key` has gone or is another value now: asked after each change, and then `attempt` is called too. */
  readonly replaced?: (key: string) => boolean
  readonly onTimeout: Reply
}

/** The answer of a handler: known now (`Either`), or later (`Effect`). */
export type Result = Either.Either<Reply, CommandError> | Effect.Effect<Reply, CommandError>

/** The command flags of COMMAND INFO, as bits for the gates. */
export const Flag = {
  write: 1 << 0,
  readonly: 1 << 1,
  denyoom: 1 << 2,
  admin: 1 << 3,
  pubsub: 1 << 4,
  noscript: 1 << 5,
  blocking: 1 << 6,
  loading: 1 << 7,
  stale: 1 << 8,
  skip_monitor: 1 << 9,
  skip_slowlog: 1 << 10,
  asking: 1 << 11,
  fast: 1 << 12,
  no_auth: 1 << 13,
  may_replicate: 1 << 14,
  no_async_loading: 1 << 15,
  no_multi: 1 << 16,
  no_mandatory_keys: 1 << 17,
  allow_busy: 1 << 18,
} as const

/** What COMMAND INFO and COMMAND DOCS tell about a command; the words are those recorded from redis-server 7.0.15. */
export interface Meta {
  /** In lower case; a subcommand is `container|name`. */
  readonly name: string
  readonly summary: string
  readonly since: string
  readonly group: string
  readonly complexity?: string
  readonly history?: ReadonlyArray<readonly [version: string, change: string]>
  readonly docFlags?: string
  readonly deprecatedSince?: string
  readonly replacedBy?: string
  /** Words of a request, the name included; negative: at least so many. */
  readonly arity: number
  /** Names of `Flag`, in Redis's order, separated by spaces. */
  readonly flags: string
  /** ACL categories beyond those that follow from the flags. */
  readonly acl?: string
  readonly tips?: ReadonlyArray<string>
  readonly keys?: ReadonlyArray<Key>
  /** Arguments that name channels to be heard or spoken on: the first, all, or all as patterns. */
  readonly channels?: "one" | "all" | "patterns"
  readonly args?: ReadonlyArray<Arg>
}

export interface Command extends Meta {
  /** `flags` as bits. */
  readonly mask: number
  readonly subcommands: ReadonlyMap<string, Command>
  /** Whether it may answer with an effect that waits. */
  readonly suspending: boolean
  /** Keys of a request where the specifications cannot tell (SORT, EVAL ...); absent: `Key.find` over `keys`. */
  readonly keysOf: ((argv: ReadonlyArray<string>) => ReadonlyArray<Found> | undefined) | undefined
  /** Whether a request may change something, where the flags cannot tell: scripts say it themselves. Absent, also as the answer: the flags. */
  readonly mayWrite: ((argv: ReadonlyArray<string>) => boolean | undefined) | undefined
  /** Parses and runs. The dispatcher calls it at execution time, only to run it. */
  readonly execute: (args: Args, ctx: Ctx) => Result
}

interface Definition<Params, R extends Result> extends Meta {
  readonly keysOf?: (argv: ReadonlyArray<string>) => ReadonlyArray<Found> | undefined
  readonly mayWrite?: (argv: ReadonlyArray<string>) => boolean | undefined
  readonly parse: (args: Args, ctx: Ctx) => Params
  readonly run: (params: Params, ctx: Ctx) => R
}

const maskOf = (flags: string): number =>
  flags === "" ? 0 : flags.split(" ").reduce((mask, flag) => mask | Flag[flag as keyof typeof Flag], 0)

const define = <Params, R extends Result>(definition: Definition<Params, R>, suspending: boolean): Command => {
  const { parse, run, keysOf, mayWrite, ...meta } = definition
  return {
    ...meta,
    mask: maskOf(meta.flags) | (mayReplicate.has(meta.name) ? Flag.may_replicate : 0),
    subcommands: noSubcommands,
    suspending,
    keysOf,
    mayWrite,
    execute: (args, ctx) => {
      let params: Params
      try {
        params = parse(args, ctx)
      } catch (error) {
        if (isCommandError(error)) return Either.left(error)
        throw error
      }
      return run(params, ctx)
    },
  }
}

/** What they do may reach the log or replicas although they are no writes. COMMAND INFO does not tell it. */
const mayReplicate = new Set(["publish", "spublish", "pfcount", "eval", "evalsha", "fcall"])

const noSubcommands: ReadonlyMap<string, Command> = new Map()

/** A command that answers at once. */
export const make = <Params>(definition: Definition<Params, Either.Either<Reply, CommandError>>): Command =>
  define(definition, false)

/** A command that may wait: for a key, for the disk, for other clients. */
export const suspending = <Params>(definition: Definition<Params, Result>): Command => define(definition, true)

/** A command that is only a name for its subcommands (CONFIG GET, CONFIG SET). */
export const container = (
  definition: Meta & {
    readonly subcommands: ReadonlyArray<Command>
    /** The answer to the name alone, for the one container that has one (COMMAND). */
    readonly bare?: () => Either.Either<Reply, CommandError>
  },
): Command => {
  const { subcommands, bare, ...meta } = definition
  return {
    ...meta,
    mask: maskOf(meta.flags),
    subcommands: new Map(subcommands.map((sub) => [sub.name.slice(sub.name.indexOf("|") + 1), sub])),
    suspending: subcommands.some((sub) => sub.suspending),
    keysOf: undefined,
    mayWrite: undefined,
    // The dispatcher resolves subcommands before it executes anything.
    execute: () => {
      if (bare !== undefined) return bare()
      throw new Error(`${meta.name} has no form without a subcommand`)
    },
  }
}

/** True when only running the request's own parser can tell where its keys are, or a number in it counts them. */
export const hasMovableKeys = (command: Meta): boolean =>
  (command.keys ?? []).some((key) => key.begin._tag !== "Index" || key.find._tag !== "Range")
