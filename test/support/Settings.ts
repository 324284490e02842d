/** Settings without a server: from a file, flags and variables, and as CONFIG SET and GET change and show them. */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Layer from "effect/Layer"
import { Config, type ConfigService } from "../../src/config/Config.ts"
import type { Directive } from "../../src/config/Directive.ts"
import * as Sources from "../../src/config/Sources.ts"

export const build = <E>(layer: Layer.Layer<Config, E>, env: Record<string, string> = {}): ConfigService =>
  Effect.runSync(
    Config.pipe(
      Effect.provide(layer),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env)))),
    ) as Effect.Effect<ConfigService>,
  )

export const flag = (name: string, ...words: ReadonlyArray<string>): Directive => ({ name, words, origin: `--${name}` })

export const start = (
  file: string,
  flags: ReadonlyArray<Directive> = [],
  env: Record<string, string> = {},
): ConfigService => build(Sources.layer({ file, flags }), env)

/** The one line a start is refused with. */
export const refusal = <E extends Error>(layer: Layer.Layer<Config, E>, env: Record<string, string> = {}): string =>
  Effect.runSync(
    Config.pipe(
      Effect.provide(layer),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env)))),
      Effect.flip,
    ) as Effect.Effect<E>,
  ).message

/** What CONFIG SET answers. */
export const set = (config: ConfigService, ...words: ReadonlyArray<string>): string => {
  const pairs = Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i]!, words[2 * i + 1]!] as const)
  return Either.match(Effect.runSync(Effect.either(config.set(pairs))), {
    onLeft: (error) => `${error.code} ${error.message}`,
    onRight: () => "OK",
  })
}

export const get = (config: ConfigService, ...patterns: ReadonlyArray<string>): Record<string, string> =>
  Object.fromEntries(config.get(patterns))
