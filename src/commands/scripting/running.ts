/**
 * One run of a script or function for a client: what it may do, what reaches it of the server, and what happens when it does
 * not end.
 *
 * Differs: a script that runs longer than `busy-reply-threshold` lets the other clients be told BUSY only while it has not
 * written anything and is not inside a `pcall`, a `table.sort` or a metamethod; the Lua frames of these cannot be left and entered
 * again. Such a script holds the server until it ends or reaches the engine's limit of time, which ends it whatever it has written.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Reply from "../../codec/Reply.ts"
import type * as Command from "../../command/Command.ts"
import type { CommandError } from "../../errors/CommandError.ts"
import { OutOfMemory } from "../../errors/DispatchErrors.ts"
import { Busy, ScriptRefused } from "../../errors/ScriptErrors.ts"
import type { Invocation, Paused, ScriptEngineService } from "../../scripting/ScriptEngine.ts"
import type { Flags } from "../../scripting/Shebang.ts"

/** How long a script that others wait for runs on before they are answered again. */
const sliceMs = 5
/** What a killed script says; it is the text for functions too. */
const killed = "Script killed by user with SCRIPT KILL..."

export interface Target {
  readonly kind: "script" | "function"
  readonly name: string
  /** Absent for scripts from before Redis 7's rules, which may do everything. */
  readonly flags: Flags | undefined
  readonly run: (invocation: Invocation) => Reply.Reply | Paused
}

export interface Given {
  readonly keys: ReadonlyArray<string>
  readonly argv: ReadonlyArray<string>
  readonly readOnly: boolean
}

export interface RunServices {
  readonly engine: ScriptEngineService
  /** `busy-reply-threshold`; 0: never. */
  readonly busyAfterMs: () => number
  readonly log: (level: number, message: string) => void
}

const outOfMemory = new OutOfMemory(
  "allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
)

export const run = (services: RunServices, target: Target, given: Given, ctx: Command.Ctx): Command.Result => {
  const { flags } = target
  const noWrites = flags?.has("no-writes") === true
  if (flags !== undefined && given.readOnly && !noWrites) return Either.left(ScriptRefused.writeFlag)
  const calls = ctx.scriptCalls({ readOnly: given.readOnly || noWrites, allowOom: flags?.has("allow-oom") === true })
  if (flags !== undefined && calls.outOfMemory && !noWrites && !flags.has("allow-oom")) return Either.left(outOfMemory)
  // What the script did is logged, not the script.
  ctx.propagateAs()
  const threshold = ctx.nested ? 0 : services.busyAfterMs()
  const outcome = target.run({
    keys: given.keys,
    argv: given.argv,
    protocol: ctx.client.protocol,
    call: calls.call,
    aclAllows: (argv) => (calls.exists(argv) ? true : undefined),
    log: services.log,
    setReplication: calls.setReplication,
    pauseAfterMs: threshold > 0 ? threshold : Infinity,
    mayPause: () => !calls.wrote(),
  })
  return outcome._tag === "Paused" ? goOn(services.engine, target, outcome, ctx) : Either.right(outcome)
}

/** Runs a slow script in slices, with the other clients answered in between, until it ends or is killed. */
const goOn = (
  engine: ScriptEngineService,
  target: Target,
  first: Paused,
  ctx: Command.Ctx,
): Effect.Effect<Reply.Reply, CommandError> => {
  let paused = first
  let isKilled = false
  engine.slow = {
    kind: target.kind,
    error: Busy[target.kind],
    name: target.name,
    argv: ctx.argv,
    startedAtMs: ctx.now,
    kill: () => {
      isKilled = true
      return undefined
    },
  }
  const step: Effect.Effect<Reply.Reply> = Effect.suspend(() => {
    const outcome = isKilled ? paused.kill(killed) : ctx.unit(() => paused.resume(sliceMs))
    if (outcome._tag !== "Paused") return Effect.succeed(outcome)
    paused = outcome
    return Effect.zipRight(othersFirst, step)
  })
  return Effect.zipRight(othersFirst, step).pipe(
    // Differs: the client's end ends its script too.
    Effect.onInterrupt(() => Effect.sync(() => paused.kill(killed))),
    Effect.ensuring(
      Effect.sync(() => {
        engine.slow = undefined
      }),
    ),
  )
}

/** Lets everything that has arrived be handled. */
const othersFirst = Effect.async<void>((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})
