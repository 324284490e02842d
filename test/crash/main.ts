/**
 * `npm run crash -- --rounds N --seed N --main FILE`: kills a server under load N times and checks what it kept.
 * `npm run crash -- --failovers N`: kills a master under Sentinel N times and checks what the promoted replica has.
 * `npm run crash -- --disk N --seed N`: N crashes on a disk in memory that fails, under the virtual clock, from a seed on.
 */
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { round } from "./DiskRounds.ts"
import { runFailovers } from "./Failover.ts"
import { runRounds } from "./Rounds.ts"

const { values } = parseArgs({
  args: process.argv.slice(2).filter((word) => !word.endsWith("main.ts") || word.startsWith("--")),
  options: {
    rounds: { type: "string", default: "20" },
    disk: { type: "string" },
    failovers: { type: "string" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1_000_000)) },
    main: { type: "string", default: join(import.meta.dirname, "..", "..", "dist", "bin", "main.js") },
  },
  allowPositionals: true,
})

if (values.disk !== undefined) {
  const first = Number(values.seed)
  const count = Number(values.disk)
  const began = process.cpuUsage()
  const rounds = Effect.gen(function* () {
    for (let seed = first; seed < first + count; seed++) yield* round(seed)
  })
  await Effect.runPromise(Effect.provide(rounds, Logger.remove(Logger.defaultLogger)))
  const { user, system } = process.cpuUsage(began)
  const seconds = (user + system) / 1e6
  console.log(`${count} seeds from ${first} on kept what was promised: ${seconds.toFixed(1)} seconds of CPU`)
  process.exit(0)
}

const report = (line: string) => console.log(line)

if (values.failovers !== undefined) {
  const passed = await runFailovers({ rounds: Number(values.failovers), main: values.main, report })
  console.log(`${passed} failovers passed`)
  process.exit(0)
}

const passed = await runRounds({
  rounds: Number(values.rounds),
  seed: Number(values.seed),
  main: values.main,
  report,
})
console.log(`${passed} rounds passed, seed ${values.seed}`)
process.exit(0)
