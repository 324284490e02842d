/**
 * What `--help` says: how the command line is made, and every setting on two lines, from the table of settings. @effect/cli's own page
 * of fifty flags that take any number of words is seven times as long, half of it the same three sentences.
 */
import { readFileSync } from "node:fs"
import { toUtf8 } from "../bytes/Bytes.ts"
import { type Entry, entries } from "../config/Settings.ts"

export const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  readonly version: string
}

/** A sentence about a setting's values. */
export const values = ({ setting }: Entry): string => {
  const initial = toUtf8(setting.type.print(setting.default))
  const unit = setting.unit === undefined ? "" : ` in ${setting.unit}`
  return `Takes ${setting.type.allowed}${unit}; default ${initial === "" ? '""' : initial}.`
}

const lines = (entry: Entry): ReadonlyArray<string> => {
  const names = [entry.name, ...entry.setting.aliases].map((name) => `--${name}`).join(", ")
  return [`  ${names}: ${entry.setting.about}`, `      ${values(entry)}`]
}

export const about =
  "A Redis server. Every setting is a flag, spelled as in redis.conf and followed by as many words as it takes; " +
  "a TINY_REDIS_* variable does the same (TINY_REDIS_MAXMEMORY_POLICY=allkeys-lru)."
export const fileAbout = "A settings file in the syntax of redis.conf, - for standard input."

export const text = (): string =>
  [
    `tiny-redis ${version}`,
    "",
    "Usage: tiny-redis [file] [--setting word ...] ...",
    "",
    about,
    "A flag counts more than a variable, and a variable more than the file.",
    "",
    `  file: ${fileAbout}`,
    ...entries.filter(({ setting }) => !setting.hidden).flatMap(lines),
    "",
    "Instead of starting a server:",
    "  -h, --help: Shows this.",
    "  -v, --version: Shows the version.",
    "  --completions (sh|bash|fish|zsh): Makes a completion script for a shell.",
    "  --wizard: Asks for the settings one by one.",
    "",
  ].join("\n")
