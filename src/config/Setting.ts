/** What a row of the table of settings says. The rows are in Settings.ts and HiddenSettings.ts. */
import type * as Kind from "./SettingType.ts"

export interface Setting<A> {
  readonly type: Kind.SettingType<A>
  readonly default: A
  /** Older names that mean the same setting, in files, flags, CONFIG GET and CONFIG SET. */
  readonly aliases: ReadonlyArray<string>
  /** What the number counts. */
  readonly unit: string | undefined
  /** Whether CONFIG SET may change it: always, never, or as `enable-protected-configs` says. */
  readonly change: "always" | "never" | "protected"
  /** Whether the value names something outside that may have changed, so that the same value again is a change too. */
  readonly refers: boolean
  /** Whether only those find it who know its name: patterns of CONFIG GET pass it over. */
  readonly hidden: boolean
  /** One sentence. */
  readonly about: string
}

export interface Row<A> {
  readonly default: A
  readonly about: string
  readonly unit?: string
  readonly aliases?: ReadonlyArray<string>
  readonly change?: "never" | "protected"
  readonly refers?: true
  readonly hidden?: true
}

/** A row of a table. */
export const setting = <A>(type: Kind.SettingType<A>, row: Row<NoInfer<A>>): Setting<A> => ({
  type,
  default: row.default,
  aliases: row.aliases ?? [],
  unit: row.unit,
  change: row.change ?? "always",
  refers: row.refers ?? false,
  hidden: row.hidden ?? false,
  about: row.about,
})
