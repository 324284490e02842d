/**
 * Where the settings of a stand-alone server come from: defaults, then a settings file, then TINY_REDIS_* variables, then
 * flags. Later sources count; only lines that add up (`save`) join those of the file with those of the flags, as they do
 * for redis-server.
 */
import { closeSync, openSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { InvalidSetting } from "../errors/ConfigErrors.ts"
import { Config, fromEnvironment, type StartError, type Values } from "./Config.ts"
import * as ConfigFile from "./ConfigFile.ts"
import type { Directive } from "./Directive.ts"
import { entries } from "./Settings.ts"

export interface Sources {
  /** A settings file, `-` for standard input. */
  readonly file: string | undefined
  readonly flags: ReadonlyArray<Directive>
}

/** The settings of the sources together. Fails before anything else happens, with one line that says what and where. */
export const layer = (sources: Sources): Layer.Layer<Config, StartError> =>
  Layer.tap(unchecked(sources), (context) => checkDirectory(Context.get(context, Config).current))

const unchecked = ({ file, flags }: Sources): Layer.Layer<Config, StartError> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const fromFile = file === undefined ? [] : yield* ConfigFile.read(file)
      const directives = [...fromFile, ...(yield* fromEnvironment), ...flags]
      const warnings = strayVariables(process.env)
      if (file === undefined || file === ConfigFile.standardInput)
        return Config.layerDirectives({ directives, warnings })
      const path = ConfigFile.absolute(file)
      return Config.layerDirectives({
        directives,
        warnings,
        file: path,
        rewrite: (values, users, all) => ConfigFile.rewrite(path, values, users, all),
      })
    }),
  )

/** Variables that name no setting. They may be somebody else's (Kubernetes makes some for each service), so they stop no start. */
const strayVariables = (environment: NodeJS.ProcessEnv): ReadonlyArray<string> => {
  const known = new Set(entries.map(({ variable }) => variable))
  const stray = Object.keys(environment).filter((name) => name.startsWith("TINY_REDIS_") && !known.has(name))
  return stray.length === 0 ? [] : [`Variables that name no setting: ${stray.join(", ")}`]
}

/** Where data is to be kept, its directory must take files: better known now than when there is something to lose. */
const checkDirectory = ({ appendonly, dir, save }: Values): Effect.Effect<void, InvalidSetting> => {
  if (!appendonly && save.length === 0) return Effect.void
  const probe = join(dir, `.tiny-redis-${process.pid}`)
  return Effect.try({
    try: () => {
      closeSync(openSync(probe, "w"))
      rmSync(probe)
    },
    catch: (cause) =>
      new InvalidSetting({
        setting: "dir",
        value: dir,
        origin: "no file can be created in it",
        reason: ConfigFile.systemReason(cause),
      }),
  })
}
