/** The server's messages: the form of a line, and where lines go. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import { Config } from "../src/config/Config.ts"
import * as Logging from "../src/config/Logging.ts"

describe("the log", () => {
  const write = (config: Config["Type"], path: string, log: Effect.Effect<void>): ReadonlyArray<string> => {
    Effect.runSync(Effect.provide(log, Layer.provide(Logging.layer, Layer.succeed(Config, config))))
    return readFileSync(path, "utf8").split("\n").slice(0, -1)
  }

  it("has a line a message, as redis-server writes them", () => {
    const date = new Date(2026, 10, 2, 3, 4, 5, 6)
    const line = {
      role: "M" as const,
      date,
      logLevel: LogLevel.Info,
      message: ["Ready to accept", "connections"],
      cause: Cause.empty,
    }
    expect(Logging.format(line)).toBe(`${process.pid}:M 02 Nov 2026 03:04:05.006 * Ready to accept connections`)
    expect(Logging.format({ ...line, role: "S" })).toMatch(/^\d+:S 02/)
    expect(Logging.format({ ...line, cause: Cause.die(new Error("a bug")) })).toContain(
      "connections\nError: a bug\n    at ",
    )
  })

  it("goes to logfile, from loglevel on, which may change", () => {
    const folder = mkdtempSync(join(tmpdir(), "tiny-redis-logging-"))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const logfile = join(folder, "log")
    const config = Effect.runSync(Effect.provide(Config, Config.layer({ logfile })))
    const all = Effect.all([Effect.logTrace("a"), Effect.logDebug("b"), Effect.logInfo("c"), Effect.logWarning("d")], {
      discard: true,
    })
    const marks = (lines: ReadonlyArray<string>) => lines.map((line) => line.slice(-3)).join(" ")
    expect(marks(write(config, logfile, all))).toBe("* c # d")
    Effect.runSync(config.set([["loglevel", "warning"]]))
    expect(marks(write(config, logfile, all))).toBe("* c # d # d")
    Effect.runSync(config.set([["loglevel", "debug"]]))
    expect(marks(write(config, logfile, all))).toBe("* c # d # d . a - b * c # d")
  })
})
