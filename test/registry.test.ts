/** The command table: what it says of each command is what redis-server 7.0.15 says, and its invariants hold. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Registry } from "../src/command/Registry.ts"
import { describeAll, type Recorded } from "./support/recordCommands.ts"
import * as TestServer from "./support/TestServer.ts"

const recorded = JSON.parse(readFileSync(join(import.meta.dirname, "fixtures", "commands.json"), "utf8")) as Recorded

/** Commands to which a later version added an option; what it added is written from its documentation. */
const extended = new Set(["zrank", "zrevrank", "hscan"])

describe("command table", () => {
  it.effect("tells of every command what redis-server tells", () =>
    TestServer.withServer((client) =>
      Effect.gen(function* () {
        yield* TestServer.run(client, "HELLO", "3")
        const command = yield* TestServer.run(client, "COMMAND")
        const docs = yield* TestServer.run(client, "COMMAND", "DOCS")
        const ours = describeAll(command, docs)
        for (const name of Object.keys(ours.info)) {
          if (recorded.info[name] === undefined || extended.has(name)) continue
          expect({ name, info: ours.info[name] }).toEqual({ name, info: recorded.info[name] })
          expect({ name, docs: ours.docs[name] }).toEqual({ name, docs: recorded.docs[name] })
        }
      }),
    ),
  )

  it.effect("knows which commands can wait", () =>
    TestServer.withServer(() =>
      Effect.map(Registry, (registry) => {
        const suspending = registry.entries.filter(
          ({ command }) => command.suspending && command.subcommands.size === 0,
        )
        const blocking = registry.entries.filter(({ command }) => command.flags.split(" ").includes("blocking"))
        const names = (entries: typeof suspending) => entries.map(({ command }) => command.name)
        for (const name of names(blocking)) expect(names(suspending)).toContain(name)
      }),
    ),
  )

  it.effect("describes every command and subcommand in lower case, with its group and first version", () =>
    TestServer.withServer(() =>
      Effect.map(Registry, (registry) => {
        for (const { command } of registry.entries.flatMap((entry) => [entry, ...entry.subcommands.values()])) {
          expect(command.name).toMatch(/^[a-z|_-]+$/)
          expect(command.since, command.name).toMatch(/^\d+\.\d+\.\d+$/)
          expect(command.group, command.name).not.toBe("")
          expect(command.summary, command.name).not.toBe("")
        }
      }),
    ),
  )
})
