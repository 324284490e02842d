/**
 * `npm run fuzz -- --seed N --commands N --family NAME`: each family (or the one named) against redis-server. Without a seed it
 * takes one from the clock and prints it. Ends with a line a family and exit code 1 if any differed.
 */
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import * as RealServer from "../support/RealServer.ts"
import * as TestServer from "../support/TestServer.ts"
import { fuzzFamilies } from "./families/index.ts"
import { compare } from "./Fuzz.ts"

const { values } = parseArgs({
  args: process.argv.slice(2).filter((word) => !word.endsWith("main.ts")),
  options: {
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    commands: { type: "string", default: "4000" },
    family: { type: "string" },
  },
})
if (!RealServer.isInstalled) {
  console.log("redis-server is not installed: nothing to compare with")
  process.exit(0)
}
const describe = (error: unknown): string =>
  error instanceof Error ? `${error.message}${error.cause === undefined ? "" : `\n${describe(error.cause)}`}` : String(error)
const seed = Number(values.seed)
const commands = Number(values.commands)
let differences = 0
for (const family of fuzzFamilies) {
  if (values.family !== undefined && values.family !== family.name) continue
  const real = await RealServer.start()
  const program = Effect.flatMap(TestServer.connect, (ours) =>
    Effect.promise(async () => {
      const theirs = await real.connect()
      try {
        await compare({ family, seed, commands, ours, theirs })
        console.log(`${family.name}: about ${commands} commands, no difference (seed ${seed})`)
      } catch (error) {
        differences++
        console.log(`${family.name}: DIFFERENCE (seed ${seed})\n${describe(error)}`)
      }
    }),
  )
  await Effect.runPromise(Effect.provide(program, TestServer.layer()))
  await real.stop()
}
process.exit(differences === 0 ? 0 : 1)
