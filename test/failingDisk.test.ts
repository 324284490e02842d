/** What was promised survives whatever the disk does: see crash/DiskRounds.ts. `npm run crash -- --disk 10000` tries more seeds. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { round } from "./crash/DiskRounds.ts"

const seeds = 300

describe("failing disk", () => {
  it.live(
    `keeps what was promised for ${seeds} seeds`,
    () =>
      Effect.gen(function* () {
        for (let seed = 1; seed <= seeds; seed++) expect(yield* round(seed)).toBeGreaterThanOrEqual(0)
        // The server tells of each failure, and there are many.
      }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger))),
    60_000,
  )
})
