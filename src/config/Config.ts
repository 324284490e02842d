/**
 * The settings of a running server: read on hot paths as properties of one plain object, shown and changed by CONFIG.
 *
 * The idea to hold: `current` is the same object for the life of the server and its properties change in place, so whoever
 * keeps it always reads the value of now, for the price of a property. A change is all or nothing: every value is read before
 * the first is stored, and what a handler of `onChange` refuses is taken back.
 */
import { isDeepStrictEqual } from "node:util"
import * as Arr from "effect/Array"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as EffectConfig from "effect/Config"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { fromUtf8 } from "../bytes/Bytes.ts"
import { globMatch } from "../bytes/Glob.ts"
import {
  InvalidSetting,
  RewriteRefused,
  SettingRefused,
  UnknownOption,
  type UnknownSetting,
  type UnreadableFile,
} from "../errors/ConfigErrors.ts"
import { Loading } from "../errors/DispatchErrors.ts"
import * as Constants from "./Constants.ts"
import { type Directive, fromValues, load, type Loaded, parse, type Rename, type UserLine } from "./Directive.ts"
import {
  type Entry,
  entries,
  find,
  names,
  type Property,
  type SettingName,
  type Value,
  type Values,
} from "./Settings.ts"

export type { MemoryOrPercent } from "./SettingType.ts"
export type { OutputLimit, OutputLimits, SavePoint, ShutdownMode } from "./SettingTypes.ts"
export type { SettingName, Values } from "./Settings.ts"

/**
 * Told after values changed and before CONFIG SET answers, with the values of now and those before. A failure, the reason as
 * CONFIG SET shows it, takes the whole change back. It may take time (a port to bind); most return nothing or an `Either`.
 */
export type ChangeHandler = (current: Values, previous: Values) => void | Effect.Effect<void, string>

/** What counts of the circumstances of a CONFIG SET. */
export interface ClientFacts {
  readonly local: boolean
  readonly loading: boolean
}

/** What says where data is loaded from. */
const fixedWhileLoading: ReadonlySet<SettingName> = new Set(["appendonly", "dir", "repl-diskless-load"])

export interface ConfigService {
  /** The values of now. The object stays the same, its properties change. */
  readonly current: Values
  /** The settings file the server was started with, an absolute path. */
  readonly file: string | undefined
  /** Declared in the settings file; whoever reads rules makes users of them. */
  readonly users: ReadonlyArray<UserLine>
  /** Declared in the settings file; see dispatch/Renaming.ts. */
  readonly renames: ReadonlyArray<Rename>
  /** What follows the word `user` in the lines that CONFIG REWRITE writes; absent: those in the file stay. */
  describeUsers: (() => ReadonlyArray<string>) | undefined
  /** What was passed over at the start, a line each, to be logged. */
  readonly warnings: ReadonlyArray<string>
  /**
   * The settings whose names, older ones included, match one of the glob patterns: name and printed value, byte strings. A
   * name without wildcards is returned as it was spelled, and finds hidden ones too.
   */
  readonly get: (patterns: ReadonlyArray<string>) => ReadonlyArray<readonly [name: string, value: string]>
  /**
   * Changes several settings, all or none. It acts when called: the result is an `Either` that can be read on the spot,
   * unless a handler takes time. `local` says that the client is on this machine, for `enable-protected-configs`; while data is
   * `loading` some settings stay as they are.
   */
  readonly set: (
    pairs: ReadonlyArray<readonly [name: string, value: string]>,
    options?: ClientFacts,
  ) => Effect.Effect<void, UnknownOption | SettingRefused | Loading>
  /** Notes what a command has changed that is a setting too (REPLICAOF). Who is told of it cannot refuse, nor take time. */
  readonly note: <Name extends keyof Values>(property: Name, value: Values[Name]) => void
  /** Calls `handler` once for each CONFIG SET that changes one of the settings. Returns what ends that. */
  readonly onChange: (settings: ReadonlyArray<SettingName>, handler: ChangeHandler) => () => void
  /** Writes the values of now into the settings file, keeping its comments and order. */
  readonly rewrite: Effect.Effect<void, RewriteRefused>
  /** The same with every setting, those at their defaults too. */
  readonly rewriteAll: Effect.Effect<void, RewriteRefused>
}

export type StartError = InvalidSetting | UnknownSetting | UnreadableFile

export class Config extends Context.Tag("tiny-redis/Config")<Config, ConfigService>() {
  /** Defaults, but for the values given. */
  static readonly layer = (values: Partial<Values> = {}): Layer.Layer<Config, StartError> =>
    Layer.effect(this, make({ directives: fromValues(values) }))

  /** Defaults, but for the variables `TINY_REDIS_*` that the `ConfigProvider` knows. */
  static readonly layerConfig: Layer.Layer<Config, StartError> = Layer.effect(
    this,
    Effect.flatMap(
      Effect.suspend(() => fromEnvironment),
      (directives) => make({ directives }),
    ),
  )

  /** From directives collected elsewhere: a file's, the environment's and the command line's. */
  static readonly layerDirectives = (options: MakeOptions): Layer.Layer<Config, StartError> =>
    Layer.effect(this, make(options))
}

/** The `ConfigProvider` of a program that gives no other: the variables of the process. */
const usualProvider = Context.get(DefaultServices.liveServices, ConfigProvider.ConfigProvider)

/** Whether to ask for a variable. The usual provider makes an exception of each that is missing: 20 ms of a start of the program. */
const worthAsking = (provider: ConfigProvider.ConfigProvider, variable: string): boolean =>
  provider !== usualProvider || variable in process.env

/** The variables `TINY_REDIS_*`; one replaces what a file says. */
export const fromEnvironment: Effect.Effect<ReadonlyArray<Directive>, InvalidSetting> = Effect.configProviderWith(
  (provider) =>
    Effect.map(
      Effect.forEach(
        entries.filter(({ variable }) => worthAsking(provider, variable)),
        ({ name, variable }) =>
          Effect.mapBoth(EffectConfig.option(EffectConfig.string(variable)), {
            onFailure: (error) =>
              new InvalidSetting({ setting: name, value: "", origin: variable, reason: `${error}` }),
            onSuccess: Option.map((text): Directive => ({
              name,
              words: [fromUtf8(text)],
              origin: variable,
              replaces: true,
            })),
          }),
      ),
      Arr.getSomes,
    ),
)

export interface MakeOptions {
  readonly directives: ReadonlyArray<Directive>
  readonly file?: string | undefined
  /** To be logged beside what was passed over in the directives. */
  readonly warnings?: ReadonlyArray<string>
  /** Writes the values into `file`; see ConfigFile.rewrite. */
  readonly rewrite?: (
    values: Values,
    users: ReadonlyArray<string> | undefined,
    all: boolean,
  ) => Effect.Effect<void, RewriteRefused>
}

export const make = (options: MakeOptions): Effect.Effect<ConfigService, StartError> =>
  Effect.map(
    Effect.suspend(() => load(options.directives)),
    (loaded) => service(loaded, options),
  )

interface Subscription {
  readonly settings: ReadonlyArray<SettingName>
  readonly handler: ChangeHandler
}

/** One setting that CONFIG SET is to change. */
interface Change {
  readonly spelled: string
  readonly entry: Entry
  readonly value: Value
}

const service = (loaded: Loaded, options: MakeOptions): ConfigService => {
  const values = loaded.values as Record<Property, Value>
  const current = loaded.values
  const subscriptions: Array<Subscription> = []

  const set: ConfigService["set"] = (pairs, client = { local: false, loading: false }) => {
    const changes = plan(current, pairs, client)
    if (Either.isLeft(changes)) return changes
    return apply(changes.right)
  }

  const apply = (changes: ReadonlyArray<Change>): Effect.Effect<void, SettingRefused> => {
    const previous: Values = { ...current }
    for (const { entry, value } of changes) values[entry.property] = value
    const due = subscriptions.filter(({ settings }) => changes.some(({ entry }) => settings.includes(entry.name)))

    const refuse = (index: number, reason: string): Effect.Effect<void, SettingRefused> => {
      const refused: Values = { ...current }
      const before = previous as Record<Property, Value>
      for (const { entry } of changes) values[entry.property] = before[entry.property]
      const { spelled } = changes.find(({ entry }) => due[index]!.settings.includes(entry.name))!
      const answer = Either.left(SettingRefused.value(spelled, reason))
      // Those who already followed the change are told to go back; what they answer changes nothing any more.
      const returned = due.slice(0, index).map(({ handler }) => handler(current, refused))
      const waiting = returned.filter((outcome) => outcome !== undefined && !Either.isEither(outcome))
      return waiting.length === 0
        ? answer
        : Effect.zipRight(
            Effect.forEach(waiting, (outcome) => Effect.ignore(outcome ?? Effect.void)),
            answer,
          )
    }

    const tell = (from: number): Effect.Effect<void, SettingRefused> => {
      for (let i = from; i < due.length; i++) {
        const outcome = due[i]!.handler(current, previous)
        if (outcome === undefined) continue
        if (!Either.isEither(outcome)) {
          return Effect.matchEffect(outcome, {
            onFailure: (reason) => refuse(i, reason),
            onSuccess: () => tell(i + 1),
          })
        }
        if (Either.isLeft(outcome)) return refuse(i, outcome.left as string)
      }
      return Either.void
    }
    return tell(0)
  }

  const rewrite = (all: boolean): Effect.Effect<void, RewriteRefused> =>
    Effect.suspend(
      () => options.rewrite?.(current, config.describeUsers?.(), all) ?? Either.left(RewriteRefused.noFile),
    )

  const config: ConfigService = {
    current,
    users: loaded.users,
    renames: loaded.renames,
    describeUsers: undefined,
    file: options.file,
    warnings: [...loaded.warnings, ...(options.warnings ?? [])],
    get: (patterns) => get(current, patterns),
    set,
    note: (property, value) => {
      const previous: Values = { ...current }
      values[property] = value
      const { name } = entries.find((entry) => entry.property === property)!
      for (const { settings, handler } of subscriptions) if (settings.includes(name)) handler(current, previous)
    },
    onChange: (settings, handler) => {
      const subscription = { settings, handler }
      subscriptions.push(subscription)
      return () => {
        const index = subscriptions.indexOf(subscription)
        if (index >= 0) subscriptions.splice(index, 1)
      }
    },
    rewrite: rewrite(false),
    rewriteAll: rewrite(true),
  }
  return config
}

/** What is to be changed, or the first reason to change nothing, in the order in which redis-server looks for one. */
const plan = (
  current: Values,
  pairs: ReadonlyArray<readonly [string, string]>,
  { local, loading }: ClientFacts,
): Either.Either<ReadonlyArray<Change>, UnknownOption | SettingRefused | Loading> => {
  const found = new Set<string>()
  for (const [spelled] of pairs) {
    const entry = find(spelled)
    const constant = Constants.find(spelled)
    if (entry === undefined && constant === undefined) return Either.left(UnknownOption.of(spelled))
    const change = entry?.setting.change
    if (change === "never" || constant?.immutable === true)
      return Either.left(SettingRefused.of(spelled, "can't set immutable config"))
    const allowed = current.enableProtectedConfigs
    if (change === "protected" && !(allowed === "yes" || (allowed === "local" && local))) {
      return Either.left(SettingRefused.of(spelled, "can't set protected config"))
    }
    if (loading && entry !== undefined && fixedWhileLoading.has(entry.name)) return Either.left(Loading.error)
    // An older name beside the newer one is no duplicate to redis-server: the last counts.
    if (found.has(spelled.toLowerCase())) return Either.left(SettingRefused.of(spelled, "duplicate parameter"))
    found.add(spelled.toLowerCase())
  }
  const changes: Array<Change> = []
  for (const [spelled, text] of pairs) {
    const constant = Constants.find(spelled)
    if (constant !== undefined) {
      if (!Constants.says(constant, text))
        return Either.left(SettingRefused.value(spelled, Constants.refusal(constant)))
      continue
    }
    const entry = find(spelled)!
    const before = current[entry.property]
    const parsed = parse(entry, [text], before)
    const refusal = Either.isLeft(parsed) ? parsed.left : entry.setting.type.check?.(parsed.right)
    if (Either.isLeft(parsed) || refusal !== undefined) return Either.left(SettingRefused.value(spelled, refusal!))
    const isChange = entry.setting.refers || !isDeepStrictEqual(parsed.right, before)
    if (isChange) changes.push({ spelled, entry, value: parsed.right })
  }
  return Either.right(changes)
}

const get = (current: Values, patterns: ReadonlyArray<string>): ReadonlyArray<readonly [string, string]> => {
  const found = new Map<string, readonly [string, string]>()
  const add = (spelled: string, value: string): void => {
    const key = spelled.toLowerCase()
    if (!found.has(key)) found.set(key, [spelled, value])
  }
  const print = ({ setting, property }: Entry): string => setting.type.print(current[property])
  for (const pattern of patterns) {
    if (/[*?[]/.test(pattern)) {
      for (const [name, entry] of names)
        if (!entry.setting.hidden && globMatch(pattern, name, true)) add(name, print(entry))
      for (const [name, { value }] of Constants.constants) if (globMatch(pattern, name, true)) add(name, value)
      continue
    }
    const entry = find(pattern)
    const constant = Constants.find(pattern)
    if (entry !== undefined) add(pattern, print(entry))
    else if (constant !== undefined) add(pattern, constant.value)
  }
  return [...found.values()]
}
