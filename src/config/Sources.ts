/**
 * Where the settings of a stand-alone server come from: defaults, then a settings file, then TINY_REDIS_* variables, then
 * flags. Later sources count; only lines that add up (`save`) join those of the file with those of the flags, as they do
 * for redis-server.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Config, fromEnvironment, type StartError } from "./Config.ts"
import * as ConfigFile from "./ConfigFile.ts"
import type { Directive } from "./Directive.ts"

export interface Sources {
  /** A settings file, `-` for standard input. */
  readonly file: string | undefined
  readonly flags: ReadonlyArray<Directive>
}

/** The settings of the sources together. Fails before anything else happens, with one line that says what and where. */
export const layer = ({ file, flags }: Sources): Layer.Layer<Config, StartError> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const fromFile = file === undefined ? [] : yield* ConfigFile.read(file)
      const directives = [...fromFile, ...(yield* fromEnvironment), ...flags]
      if (file === undefined || file === ConfigFile.standardInput) return Config.layerDirectives({ directives })
      const path = ConfigFile.absolute(file)
      return Config.layerDirectives({
        directives,
        file: path,
        rewrite: (values) => ConfigFile.rewrite(path, values),
      })
    }),
  )
