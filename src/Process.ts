/**
 * What the program has the system know of its process: a title in the list of processes, as `proc-title-template` says, and how soon
 * Linux is to end it when memory runs out, as `oom-score-adj` says.
 *
 * The idea to hold: these settings are about the program `tiny-redis`. A server inside of another program leaves its process alone.
 */
import { readFileSync, writeFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { toUtf8 } from "./bytes/Bytes.ts"
import { Config, type ConfigService, type Values } from "./config/Config.ts"
import { systemReason } from "./config/ConfigFile.ts"
import type { TitleField } from "./config/SettingTypes.ts"
import { Listener } from "./socket/Listener.ts"

/** Where a server listens, 0 for nowhere. */
export interface Ports {
  readonly port: number
  readonly tlsPort: number
}

/** What `proc-title-template` makes of these settings. Differs: {title} is the program's name and not how it was called. */
export const title = (values: Values, { port, tlsPort }: Ports, file: string | undefined): string => {
  const { bind, unixsocket, procTitleTemplate } = values
  const tcp = port || tlsPort
  const fields: Readonly<Record<TitleField, string>> = {
    title: "tiny-redis",
    "listen-addr": tcp > 0 || unixsocket === "" ? `${bind[0] ?? "*"}:${tcp}` : `unixsocket:${unixsocket}`,
    "server-mode": "",
    port: `${port}`,
    "tls-port": `${tlsPort}`,
    unixsocket,
    "config-file": file ?? "",
  }
  return toUtf8(procTitleTemplate)
    .replaceAll(/\{([^{}]*)\}/g, (_, name: TitleField) => fields[name])
    .trimEnd()
}

/** What the kernel adds to its score of this process: from -1000, never, to 1000. */
export interface OomScore {
  readonly read: () => number
  readonly write: (score: number) => void
}

const oomScoreFile = "/proc/self/oom_score_adj"

const ownOomScore: OomScore = {
  read: () => Number(readFileSync(oomScoreFile, "latin1")),
  write: (score) => writeFileSync(oomScoreFile, `${score}`),
}

/** Has the score follow settings and role from now on. What the system refuses at the start is logged, and CONFIG SET refuses it. */
export const followOomScore = (config: ConfigService, score: OomScore): Effect.Effect<void> => {
  /** What it was before this server changed it. */
  let before: number | undefined
  const apply = ({ oomScoreAdj: mode, oomScoreAdjValues, replicaof }: Values): void => {
    if (mode === "no") {
      if (before !== undefined) score.write(before)
      before = undefined
      return
    }
    const base = before ?? score.read()
    const wanted = oomScoreAdjValues[replicaof === undefined ? 0 : 1]! + (mode === "absolute" ? 0 : base)
    score.write(Math.max(-1000, Math.min(1000, wanted)))
    before = base
  }
  const told = (values: Values): Effect.Effect<void, string> =>
    Effect.catchAll(Effect.try({ try: () => apply(values), catch: systemReason }), (reason) =>
      Effect.zipRight(
        Effect.logWarning(`Cannot write ${oomScoreFile}: ${reason}`),
        Effect.fail("Failed to set current oom_score_adj. Check server logs."),
      ),
    )
  config.onChange(["oom-score-adj", "oom-score-adj-values"], told)
  return Effect.gen(function* () {
    const runtime = yield* Effect.runtime()
    config.onChange(["replicaof"], (values) => {
      Effect.runFork(Effect.provide(Effect.ignore(told(values)), runtime))
    })
    yield* Effect.ignore(told(config.current))
  })
}

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const config = yield* Config
    const ports = yield* Listener
    const show = (values: Values): void => {
      if (values.setProcTitle) process.title = title(values, ports, config.file)
    }
    show(config.current)
    config.onChange(["proc-title-template", "port", "tls-port", "bind"], show)
    yield* followOomScore(config, ownOomScore)
  }),
)
