/**
 * One run of a script or function for a client: what it may do, what reaches it of the server, and what happens when it does
 * not end.
 *
 * The idea to hold: a script that pauses is still one unit. Until it ends nothing of it is logged, no snapshot begins, nothing
 * expires and its instant stays (`store.unfinished`), so that the others, who are told BUSY meanwhile, see all of it or nothing.
 * Differs: a script can pause only where it is not inside a `pcall`, a `table.sort`, a metamethod, a coroutine of its own or
 * MULTI; the C frames of these cannot be left and entered again. There it holds the server until it leaves them, at most for
 * `script-time-limit`, which ends it whatever it has written.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { pause } from "../../clock/EventLoop.ts"
import type * as Reply from "../../codec/Reply.ts"
import type * as Command from "../../command/Command.ts"
import { OutOfMemory } from "../../errors/DispatchErrors.ts"
import { Busy, ScriptRefused, Unkillable } from "../../errors/ScriptErrors.ts"
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
  /** `script-time-limit`; Infinity: never. */
  readonly endsAfterMs: () => number
  readonly log: (level: number, message: string) => void
}

/** Where the memory ran out after the script was queued; else the command is refused like any that needs memory. */
const outOfMemory = new OutOfMemory(
  "allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
)

/** What the running script reaches. */
class Running implements Invocation {
  readonly keys: ReadonlyArray<string>
  readonly argv: ReadonlyArray<string>
  readonly protocol: 2 | 3
  readonly nowMs: number
  readonly pauseAfterMs: number
  private readonly services: RunServices
  private readonly calls: Command.ScriptCalls

  constructor(services: RunServices, given: Given, calls: Command.ScriptCalls, ctx: Command.Ctx) {
    this.keys = given.keys
    this.argv = given.argv
    this.protocol = ctx.client.protocol
    this.nowMs = ctx.now
    const thresholdMs = ctx.nested ? 0 : services.busyAfterMs()
    this.pauseAfterMs = thresholdMs > 0 ? thresholdMs : Infinity
    this.services = services
    this.calls = calls
  }

  call(argv: ReadonlyArray<string>, protocol: 2 | 3): Reply.Reply {
    return this.calls.call(argv, protocol)
  }
  aclAllows(argv: ReadonlyArray<string>): boolean | undefined {
    return this.calls.allows(argv)
  }
  log(level: number, message: string): void {
    this.services.log(level, message)
  }
  setReplication(flags: number): void {
    this.calls.setReplication(flags)
  }
}

export const run = (services: RunServices, target: Target, given: Given, ctx: Command.Ctx): Command.Result => {
  const { flags } = target
  const noWrites = flags?.has("no-writes") === true
  const calls = ctx.scriptCalls({
    readOnly: given.readOnly || noWrites,
    keys: given.keys,
    declared: flags && { noWrites, allowStale: flags.has("allow-stale") },
    allowOom: flags?.has("allow-oom") === true,
  })
  if (calls.refusal !== undefined) return Either.left(calls.refusal)
  if (flags !== undefined && given.readOnly && !noWrites) return Either.left(ScriptRefused.writeFlag)
  if (flags !== undefined && calls.outOfMemory && !noWrites && !flags.has("allow-oom")) {
    return Either.left(ctx.nested ? outOfMemory : OutOfMemory.error)
  }
  // What the script did is logged, not the script.
  ctx.propagateAs()
  const outcome = target.run(new Running(services, given, calls, ctx))
  return outcome._tag === "Paused" ? goOn(services, target, outcome, calls, ctx) : Either.right(outcome)
}

/** Runs a slow script in slices, with the other clients answered in between, until it ends or is killed. */
const goOn = (
  { engine, endsAfterMs }: RunServices,
  target: Target,
  first: Paused,
  calls: Command.ScriptCalls,
  ctx: Command.Ctx,
): Effect.Effect<Reply.Reply> => {
  const { now: startedAtMs, store } = ctx
  let paused = first
  let isKilled = false
  let isAbandoned = false
  store.unfinished = true
  engine.slow = {
    kind: target.kind,
    error: Busy[target.kind],
    name: target.name,
    argv: ctx.argv,
    startedAtMs,
    kill: () => {
      if (calls.wrote()) return Unkillable.error
      isKilled = true
      return undefined
    },
    abandon: () => {
      isAbandoned = true
    },
  }
  const advance = (): Reply.Reply | Paused =>
    ctx.unit(startedAtMs, () => {
      let outcome: Reply.Reply | Paused | undefined
      try {
        outcome = isKilled ? paused.kill(killed) : paused.resume(sliceMs)
        return outcome
      } finally {
        // Cleared before the unit ends, which logs what the script did and serves who waits for it. Also when a bug ended it.
        if (outcome?._tag !== "Paused") {
          engine.slow = undefined
          store.unfinished = false
        }
      }
    })
  const slices: Effect.Effect<Reply.Reply> = Effect.suspend(() => {
    // The server ends without saving, and what the script did so far goes with it.
    if (isAbandoned) return Effect.never
    const outcome = advance()
    if (outcome._tag !== "Paused") return Effect.succeed(outcome)
    paused = outcome
    return Effect.zipRight(pause, slices)
  })
  /**
   * Differs: the client's end ends its script too, if it has not written. One that has goes on for its writes' sake, though
   * not for ever, since it may be the server that ends. Nothing here can be interrupted.
   */
  const withoutClient: Effect.Effect<void> = Effect.flatMap(Clock.currentTimeMillis, (leftAtMs) => {
    const endsAtMs = leftAtMs + endsAfterMs()
    const lastSlices: Effect.Effect<void> = Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
      if (isAbandoned) return Effect.void
      isKilled = !calls.wrote() || nowMs >= endsAtMs
      const outcome = advance()
      if (outcome._tag !== "Paused") return Effect.void
      paused = outcome
      return Effect.zipRight(pause, lastSlices)
    })
    return lastSlices
  })
  return Effect.zipRight(pause, slices).pipe(Effect.onInterrupt(() => withoutClient))
}
