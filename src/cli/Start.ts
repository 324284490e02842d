/**
 * What the command does: start a server, or answer a question. Whatever stops a start is told in one line on standard error
 * and ends the process with 1; only a bug shows where in the code it happened.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { Sources } from "../config/Sources.ts"
import * as Arguments from "./Arguments.ts"
import * as Help from "./Help.ts"

/** Does what the command line asks for. `serve` runs a server until it is told to stop. */
export const run = <E>(
  argv: ReadonlyArray<string>,
  serve: (sources: Sources) => Effect.Effect<unknown, E>,
): Effect.Effect<void, unknown> =>
  (Arguments.asks(argv) ? answer(argv, serve) : serve(Arguments.parse(argv))).pipe(
    Effect.tapErrorCause(report),
    Effect.asVoid,
  )

const answer = <E>(
  argv: ReadonlyArray<string>,
  serve: (sources: Sources) => Effect.Effect<unknown, E>,
): Effect.Effect<void, unknown> => {
  if (Arguments.asksForHelp(argv)) return Effect.sync(() => void process.stdout.write(Help.text()))
  const refusal = Arguments.refusal(argv)
  if (refusal !== undefined) return Effect.fail(refusal)
  // Loaded only now: see Arguments.ts for what it costs.
  return Effect.flatMap(
    Effect.promise(() => import("./Cli.ts")),
    (cli) => cli.run(argv, serve),
  )
}

/** @effect/cli has told its own errors already; they are not `Error`s. */
const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.sync(() => {
    if (Cause.isInterruptedOnly(cause)) return
    const failure = Cause.failureOption(cause)
    if (failure._tag === "None")
      process.stderr.write(`tiny-redis: ${Cause.pretty(cause, { renderErrorCause: true })}\n`)
    else if (failure.value instanceof Error) process.stderr.write(`tiny-redis: ${failure.value.message}\n`)
  })
