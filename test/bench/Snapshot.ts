/**
 * What a snapshot costs those who use the server meanwhile. A steady load of writes runs before and during each of some BGSAVEs of a
 * million keys; latencies of both times are compared (budget: p99 at most three times that without, in the median), with the memory
 * that was needed on top. The first snapshot is shown, and is dearer: its code is compiled meanwhile, on the server's one processor.
 */
import { type Measurable, sleep, startOurs, startRedis } from "./Children.ts"
import { Client, fill, infoNumber } from "./Client.ts"
import { digits } from "./Load.ts"
import { table } from "./Report.ts"
import { median, percentile } from "./Statistics.ts"
import { startSteadyLoad } from "./SteadyLoad.ts"

const writesPerSecond = 4000
const quietMs = 4000
const snapshots = 5
const p99RatioMax = 3
const snapshotLimitMs = 120_000

const argvOf = (index: number): ReadonlyArray<string> => [
  "SET",
  `key:${digits(index)}`,
  digits(index).padStart(32, "v"),
]

interface Outcome {
  readonly quiet: ReadonlyArray<number>
  readonly during: ReadonlyArray<number>
  readonly seconds: number
  readonly extraBytes: number
}

const snapshotsOf = async (server: Measurable, keys: number): Promise<ReadonlyArray<Outcome>> => {
  const client = await Client.connect(server)
  await fill(client, keys, argvOf)
  await sleep(1000)
  const load = await startSteadyLoad(server, writesPerSecond, (index) => argvOf((index * 7919) % keys))
  const outcomes: Array<Outcome> = []
  for (let i = 0; i < snapshots; i++) {
    await sleep(500)
    load.take()
    await sleep(quietMs)
    const quiet = load.take()
    const residentBefore = server.process.residentBytes()
    const began = performance.now()
    const answer = await client.call("BGSAVE")
    if (answer.startsWith("-")) throw new Error(`BGSAVE answered ${answer.trim()}`)
    let most = residentBefore
    while (infoNumber(await client.call("INFO", "persistence"), "rdb_bgsave_in_progress") === 1) {
      if (performance.now() - began > snapshotLimitMs) throw new Error("the snapshot did not end")
      most = Math.max(most, server.process.residentBytes())
      await sleep(20)
    }
    const seconds = (performance.now() - began) / 1000
    outcomes.push({ quiet, during: load.take(), seconds, extraBytes: most - residentBefore })
  }
  await load.stop()
  client.close()
  await server.process.stop()
  return outcomes
}

const p99Ratio = ({ during, quiet }: Outcome): number => percentile(during, 0.99) / percentile(quiet, 0.99)

export const measureSnapshot = async (options: {
  readonly main: string | undefined
  readonly keys: number
}): Promise<number> => {
  const settings = ["--save", "", "--appendonly", "no"]
  let withinBudget = true
  const lines: Array<ReadonlyArray<string>> = []
  for (const begin of [() => startOurs(options.main, settings), () => startRedis(settings)]) {
    const server = await begin()
    const outcomes = await snapshotsOf(server, options.keys)
    const ratio = median(outcomes.map(p99Ratio))
    if (server.name === "ours" && !(ratio <= p99RatioMax)) withinBudget = false
    const latency = (values: ReadonlyArray<number>): string =>
      [0.5, 0.99, 0.999, 1].map((fraction) => percentile(values, fraction).toFixed(2)).join("/")
    outcomes.forEach((outcome, i) =>
      lines.push([
        `${server.name} ${i + 1}`,
        latency(outcome.quiet),
        latency(outcome.during),
        p99Ratio(outcome).toFixed(2),
        outcome.seconds.toFixed(1),
        (outcome.extraBytes / 2 ** 20).toFixed(0),
      ]),
    )
    lines.push([`${server.name}, median`, "", "", ratio.toFixed(2), "", ""])
  }
  const head = ["p50/p99/p99.9/max in ms", "without", "during a snapshot", "p99 ratio", "seconds", "extra MiB"]
  console.log(`${options.keys} keys, ${writesPerSecond} writes a second\n${table(head, lines)}`)
  return withinBudget ? 0 : 1
}
