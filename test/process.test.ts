/** What the program has the system know of its process. The expected values are redis-server's, but for the program's name. */
import { describe, expect, it } from "vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Process from "../src/Process.ts"
import { Config } from "../src/config/Config.ts"
import { build, get, set } from "./support/Settings.ts"

describe("the title of the process", () => {
  const titleWith = (template: string, port = 6379, settings: Record<string, string> = {}) => {
    const config = build(Config.layer({ unixsocket: "/run/s" }))
    expect(set(config, "proc-title-template", template, ...Object.entries(settings).flat())).toBe("OK")
    return Process.title(config.current, { port, tlsPort: 0 }, "/etc/redis.conf")
  }

  it("says what the template says", () => {
    expect(titleWith("{title} {listen-addr} {server-mode}")).toBe("tiny-redis 127.0.0.1:6379")
    expect(titleWith("x{title}} {port} {tls-port} {unixsocket} {config-file}")).toBe(
      "xtiny-redis} 6379 0 /run/s /etc/redis.conf",
    )
  })

  it("names the first address, all of them, or the Unix socket", () => {
    expect(titleWith("{listen-addr}", 6379, { bind: "-::1 127.0.0.1" })).toBe("-::1:6379")
    expect(titleWith("{listen-addr}", 6379, { bind: "" })).toBe("*:6379")
    expect(titleWith("{listen-addr}", 0)).toBe("unixsocket:/run/s")
  })

  it.each(["", "{foo}", "{title", "{", "{}", " {TITLE}", "{title} {{port}"])("is not made of %j", (template) => {
    expect(set(build(Config.layer()), "proc-title-template", template)).toBe(
      "ERR CONFIG SET failed (possibly related to argument 'proc-title-template') - template format is invalid or contains unknown variables",
    )
  })
})

describe("oom-score-adj", () => {
  const follow = (...initial: ReadonlyArray<string>) => {
    const config = build(Config.layer())
    const score = { now: 22, isRefused: false }
    if (initial.length > 0) set(config, ...initial)
    const write = (value: number) => {
      if (score.isRefused) throw new Error("Permission denied")
      score.now = value
    }
    const followed = Process.followOomScore(config, { read: () => score.now, write })
    Effect.runSync(Effect.provide(followed, Logger.remove(Logger.defaultLogger)))
    return { config, score }
  }

  it("adds to what it was, or takes its place, and no brings back what it was", () => {
    const { config, score } = follow("oom-score-adj-values", "10 20 30")
    expect(score.now).toBe(22)
    set(config, "oom-score-adj", "relative")
    expect([score.now, get(config, "oom-score-adj")]).toEqual([32, { "oom-score-adj": "yes" }])
    set(config, "oom-score-adj-values", "15 20 30")
    expect(score.now).toBe(37)
    set(config, "oom-score-adj", "absolute")
    expect(score.now).toBe(15)
    set(config, "oom-score-adj-values", "2000 20 30")
    expect(score.now).toBe(1000)
    set(config, "oom-score-adj", "no")
    expect(score.now).toBe(22)
  })

  it("follows the settings from the start, and the role", () => {
    const { config, score } = follow("oom-score-adj-values", "10 20 30", "oom-score-adj", "yes")
    expect(score.now).toBe(32)
    config.note("replicaof", { host: "127.0.0.1", port: 1 })
    expect(score.now).toBe(42)
    config.note("replicaof", undefined)
    expect(score.now).toBe(32)
  })

  it("is refused where the system refuses it, and goes on as it was", () => {
    const { config, score } = follow()
    score.isRefused = true
    expect(set(config, "oom-score-adj-values", "-1000 -1000 -1000")).toBe("OK")
    const change = config.set([
      ["maxmemory", "1mb"],
      ["oom-score-adj", "yes"],
    ])
    const refused = Effect.runSync(Effect.provide(Effect.flip(change), Logger.remove(Logger.defaultLogger)))
    expect(refused.message).toBe(
      "CONFIG SET failed (possibly related to argument 'oom-score-adj') - Failed to set current oom_score_adj. Check server logs.",
    )
    expect(get(config, "oom-score-adj", "maxmemory")).toEqual({ "oom-score-adj": "no", maxmemory: "0" })
  })

  it.each([
    ["oom-score-adj", "xx", "argument(s) must be one of the following: no, yes, relative, absolute"],
    ["oom-score-adj-values", "1 2", "wrong number of arguments"],
    ["oom-score-adj-values", "1 2 3 4", "wrong number of arguments"],
    ["oom-score-adj-values", "1 2 x", "Invalid oom-score-adj-values, elements must be between -2000 and 2000."],
    ["oom-score-adj-values", "1 2 2001", "Invalid oom-score-adj-values, elements must be between -2000 and 2000."],
  ])("refuses %s %s", (name, value, reason) => {
    const refused = `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`
    expect(set(build(Config.layer()), name, value)).toBe(refused)
  })
})
