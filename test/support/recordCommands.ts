/**
 * Records what redis-server says about its commands: COMMAND and COMMAND DOCS in RESP3, as lines of a transcript, one block
 * a command. `npm run record:commands` writes `test/fixtures/commands.json`.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Reply } from "../../src/codec/Reply.ts"
import * as RealServer from "./RealServer.ts"
import { formatReply } from "./Transcript.ts"

/** Sets and the fields of maps in a fixed order: Redis promises none. */
export const canonical = (reply: Reply): unknown => {
  switch (reply._tag) {
    case "Set":
      return reply.values
        .map(canonical)
        .map((value) => JSON.stringify(value))
        .sort()
    case "Array":
      return reply.values.map(canonical)
    case "Map":
      return Object.fromEntries(
        Array.from({ length: reply.entries.length / 2 }, (_, i) => [
          formatReply(reply.entries[2 * i]!).join("\n"),
          canonical(reply.entries[2 * i + 1]!),
        ]).sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
      )
    default:
      return formatReply(reply).join("\n")
  }
}

/** Name to COMMAND INFO's element, subcommands apart; name to COMMAND DOCS' value, subcommands apart. */
export interface Recorded {
  readonly info: Record<string, unknown>
  readonly docs: Record<string, unknown>
}

export const describeAll = (command: Reply, docs: Reply): Recorded => {
  const recorded: Recorded = { info: {}, docs: {} }
  const addInfo = (element: Reply) => {
    if (element._tag !== "Array") return
    const name = element.values[0]!
    const subcommands = element.values[9]!
    const own = element.values.slice(0, 9).map(canonical)
    if (name._tag === "Bulk") recorded.info[name.value] = own
    if (subcommands._tag === "Array") subcommands.values.forEach(addInfo)
  }
  const addDocs = (map: Reply) => {
    if (map._tag !== "Map") return
    for (let i = 0; i < map.entries.length; i += 2) {
      const name = map.entries[i]!
      const value = map.entries[i + 1]!
      if (name._tag !== "Bulk" || value._tag !== "Map") continue
      const fields = value.entries
      const at = fields.findIndex(
        (field, index) => index % 2 === 0 && field._tag === "Bulk" && field.value === "subcommands",
      )
      recorded.docs[name.value] = canonical(
        at < 0 ? value : { _tag: "Map", entries: [...fields.slice(0, at), ...fields.slice(at + 2)] },
      )
      if (at >= 0) addDocs(fields[at + 1]!)
    }
  }
  if (command._tag === "Array") command.values.forEach(addInfo)
  addDocs(docs)
  return recorded
}

if (process.argv.some((word) => word.endsWith("recordCommands.ts")) && process.env["VITEST"] === undefined) {
  const server = await RealServer.start()
  const client = await server.connect()
  await client.run("HELLO", "3")
  const recorded = describeAll(await client.run("COMMAND"), await client.run("COMMAND", "DOCS"))
  const file = join(import.meta.dirname, "..", "fixtures", "commands.json")
  // A line a command, so that a change of one shows as one.
  const lines = (part: Record<string, unknown>) =>
    Object.entries(part)
      .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
      .join(",\n")
  writeFileSync(file, `{"info":{\n${lines(recorded.info)}\n},"docs":{\n${lines(recorded.docs)}\n}}\n`)
  await server.stop()
  process.exit(0)
}
