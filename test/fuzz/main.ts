/**
 * `npm run fuzz -- --seed N --commands N --family NAME --keyspace bytes|map`: each family (or the one named) against redis-server,
 * with either inside of the databases. Without a seed it takes one from the clock and prints it. Ends with a line a family and exit
 * code 1 if any differed.
 */
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import * as RealServer from "../support/RealServer.ts"
import * as TestServer from "../support/TestServer.ts"
import { MemoryConnector } from "../../src/socket/MemorySocket.ts"
import { compareConversations } from "./Conversations.ts"
import { fuzzFamilies } from "./families/index.ts"
import { compare } from "./Fuzz.ts"

const { values } = parseArgs({
  args: process.argv.slice(2).filter((word) => !word.endsWith("main.ts")),
  options: {
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    commands: { type: "string", default: "4000" },
    family: { type: "string" },
    keyspace: { type: "string", default: "bytes" },
  },
})
if (!RealServer.isInstalled) {
  console.log("redis-server is not installed: nothing to compare with")
  process.exit(0)
}
const describe = (error: unknown): string =>
  error instanceof Error
    ? `${error.message}${error.cause === undefined ? "" : `\n${describe(error.cause)}`}`
    : String(error)
const keyspace = values.keyspace === "map" ? "map" : "bytes"
const seed = Number(values.seed)
const commands = Number(values.commands)
let differences = 0
const report = async (name: string, comparison: Promise<void>) => {
  try {
    await comparison
    console.log(`${name}: about ${commands} commands, no difference (seed ${seed})`)
  } catch (error) {
    differences++
    console.log(`${name}: DIFFERENCE (seed ${seed})\n${describe(error)}`)
  }
}
const wanted = (name: string) => values.family === undefined || values.family === name

/** Runs `body` with a fresh server of ours and a fresh redis-server. */
const withServers = async (
  body: (ours: () => Promise<TestServer.TestClient>, theirs: () => Promise<TestServer.TestClient>) => Promise<void>,
) => {
  const real = await RealServer.start()
  const program = Effect.flatMap(MemoryConnector, (connector) =>
    Effect.promise(() => body(async () => TestServer.makeClient(connector.connect()), real.connect)),
  )
  await Effect.runPromise(Effect.provide(program, TestServer.layer({ keyspace })))
  await real.stop()
}

for (const family of fuzzFamilies) {
  if (!wanted(family.name)) continue
  await withServers(async (ours, theirs) =>
    report(family.name, compare({ family, seed, commands, ours: await ours(), theirs: await theirs() })),
  )
}
if (wanted("conversations")) {
  await withServers((ours, theirs) => report("conversations", compareConversations({ seed, commands, ours, theirs })))
}
process.exit(differences === 0 ? 0 : 1)
