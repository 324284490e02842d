/**
 * The parts of the README that follow from the code: what commands there are, which of Redis 7.0.15's are not, and the settings.
 * `npm run readme` writes them between their markers; a test compares.
 */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { type Entry, Registry } from "../../src/command/Registry.ts"
import * as Markdown from "../../src/config/Markdown.ts"
import * as Server from "../../src/Server.ts"

const groups: ReadonlyArray<readonly [group: string, title: string]> = [
  ["string", "Strings"],
  ["bitmap", "Bitmaps"],
  ["list", "Lists"],
  ["hash", "Hashes"],
  ["set", "Sets"],
  ["sorted-set", "Sorted sets"],
  ["stream", "Streams"],
  ["geo", "Geo"],
  ["hyperloglog", "HyperLogLog"],
  ["generic", "Keys"],
  ["transactions", "Transactions"],
  ["pubsub", "Publish and subscribe"],
  ["scripting", "Scripts and functions"],
  ["connection", "Connection"],
  ["server", "Server"],
  ["cluster", "Cluster, which is off"],
]

const nameOf = ({ command, subcommands }: Entry): string => {
  const name = `\`${command.name.toUpperCase()}\``
  if (subcommands.size === 0) return name
  return `${name} (${[...subcommands.keys()]
    .map((sub) => sub.toUpperCase())
    .sort()
    .join(" ")})`
}

const recorded: { readonly info: Record<string, unknown> } = JSON.parse(
  readFileSync(new URL("../fixtures/commands.json", import.meta.url), "utf8"),
)

const table = Effect.map(Registry, ({ entries, findFull }) => {
  const known = new Set(groups.map(([group]) => group))
  const strange = entries.filter(({ command }) => !known.has(command.group))
  if (strange.length > 0) throw new Error(`no title for group ${strange[0]!.command.group}`)
  const lines = groups.flatMap(([group, title]) => {
    const names = entries
      .filter(({ command }) => command.group === group)
      .sort((a, b) => (a.command.name < b.command.name ? -1 : 1))
      .map(nameOf)
    return names.length === 0 ? [] : [`- **${title}**: ${names.join(", ")}`]
  })
  const all = (list: ReadonlyArray<Entry>): ReadonlyArray<string> =>
    list.flatMap(({ command, subcommands }) => [command.name, ...all([...subcommands.values()])])
  const upper = (names: ReadonlyArray<string>) =>
    names.map((name) => `\`${name.toUpperCase().replace("|", " ")}\``).join(", ")
  const ofRedis = Object.keys(recorded.info)
  const missing = ofRedis
    .filter((name) => findFull(name) === undefined)
    // A container that is missing stands for its subcommands.
    .filter((name) => !name.includes("|") || findFull(name.slice(0, name.indexOf("|"))) !== undefined)
  const added = all(entries).filter((name) => !ofRedis.includes(name))
  return {
    commands: lines.join("\n"),
    missing: upper(missing.sort()),
    added: upper([...added].sort()),
    settings: Markdown.table(),
  }
})

/** The generated parts by the name of their markers. */
export const parts = Effect.provide(table, Server.layerTest())

/** `text` with `part` between the markers `name`. */
export const fill = (text: string, name: string, part: string): string => {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [from, to] = [text.indexOf(start), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`no markers for ${name}`)
  return `${text.slice(0, from + start.length)}\n${part}\n${text.slice(to)}`
}
