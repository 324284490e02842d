/** The cases of `npm run bench -- complexity`: every command on data is among them, and redis-server's documentation is meant. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Registry } from "../src/command/Registry.ts"
import { families } from "./bench/complexity/index.ts"
import * as TestServer from "./support/TestServer.ts"

const groups = new Set([
  ...["string", "bitmap", "hyperloglog", "list", "set", "sorted-set", "hash", "stream", "geo", "generic"],
])
/** They wait for replicas, or work on no data. */
const without = new Set(["wait", "waitaof", "pfselftest", "object|help", "xinfo|help", "xgroup|help", "migrate"])

describe("cases of the complexity benchmark", () => {
  it.effect("have every command on data in them", () =>
    TestServer.withServer(() =>
      Effect.map(Registry, (registry) => {
        const measured = new Set(
          families.flatMap(({ cases }) =>
            cases.flatMap(({ commands }) =>
              commands(1, 1000).flatMap(([name, subcommand]) =>
                [name, `${name}|${subcommand}`].map((word) => word!.toLowerCase()),
              ),
            ),
          ),
        )
        const missing = registry.entries
          .filter(({ command }) => groups.has(command.group))
          .flatMap(({ command, subcommands }) =>
            subcommands.size === 0 ? [command.name] : [...subcommands.keys()].map((word) => `${command.name}|${word}`),
          )
          .filter((name) => !without.has(name) && !measured.has(name))
        expect(missing).toEqual([])
      }),
    ),
  )

  it.effect("answer without an error", () =>
    TestServer.withServer((client) =>
      Effect.promise(async () => {
        const errors: Array<string> = []
        const bench = {
          call: async (...argv: ReadonlyArray<string>) => void (await client.run(...argv)),
          send: async (commands: ReadonlyArray<ReadonlyArray<string>>) => {
            const replies = await Promise.all(commands.map((argv) => client.run(...argv)))
            return replies.map((reply) => (reply._tag === "Failure" ? `-${reply.message}` : "+"))
          },
        }
        for (const { name, fill, cases } of families) {
          await client.run("FLUSHALL")
          await fill(bench as never, 1000)
          for (const one of cases) {
            for (const round of [0, 1]) {
              for (const argv of one.commands(round, 1000)) {
                const reply = await client.run(...argv)
                if (reply._tag === "Failure") errors.push(`${name}: ${argv.join(" ")}: ${reply.message}`)
              }
            }
          }
        }
        expect(errors).toEqual([])
      }),
    ),
  )
})
