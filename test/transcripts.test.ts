/** The transcripts leave nothing out: every command and each of its options is in one, and answers something other than an error there. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Arg } from "../src/command/Arg.ts"
import { Registry } from "../src/command/Registry.ts"
import * as TestServer from "./support/TestServer.ts"
import { parseTranscript } from "./support/Transcript.ts"

const folder = join(import.meta.dirname, "transcripts")
/** The requests that were not answered by an error, in upper case: by command and by subcommand. */
const answered = new Map<string, Array<ReadonlySet<string>>>()
for (const file of readdirSync(folder)) {
  for (const { _tag, argv, reply } of parseTranscript(readFileSync(join(folder, file), "utf8"))) {
    if (_tag !== "Request" || reply[0]?.startsWith("-") === true) continue
    const [name, subcommand] = argv.map((word) => word.toLowerCase())
    const words = new Set(argv.slice(1).map((word) => word.toUpperCase()))
    for (const known of [name!, `${name}|${subcommand}`]) {
      const requests = answered.get(known)
      if (requests === undefined) answered.set(known, [words])
      else requests.push(words)
    }
  }
}

const tokens = (args: ReadonlyArray<Arg> = []): ReadonlyArray<string> =>
  args.flatMap((arg) => [...(arg.token === undefined || arg.token === "" ? [] : [arg.token]), ...tokens(arg.args)])

/** Commands on data, by their group. */
const groups = new Set([
  ...["string", "bitmap", "hyperloglog", "list", "set", "sorted-set", "hash", "stream", "geo", "generic"],
])

describe("the transcripts", () => {
  it.effect("have every option of every command, where it answers no error", () =>
    TestServer.withServer(() =>
      Effect.map(Registry, (registry) => {
        const missing = registry.entries
          .filter(({ command }) => groups.has(command.group))
          .flatMap(({ command, subcommands }) =>
            subcommands.size === 0
              ? [{ name: command.name, args: command.args }]
              : [...subcommands].map(([word, one]) => ({ name: `${command.name}|${word}`, args: one.command.args })),
          )
          .flatMap(({ name, args }) =>
            answered.has(name)
              ? tokens(args)
                  .filter((token) => !answered.get(name)!.some((words) => words.has(token.toUpperCase())))
                  .map((token) => `${name} ${token}`)
              : [name],
          )
        expect(missing).toEqual([])
      }),
    ),
  )
})
