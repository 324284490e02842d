/**
 * What of its memory a server gives back after a mass deletion, by itself: one is filled with strings of 16 + 32 bytes, nine of ten are
 * deleted, each tenth stays; another one only ever gets those. Their resident memory is read after the same quiet time and divided (budget
 * 1.5), and so is what each has grown by since its start. `INFO memory` shows an operator the same figure (`used_memory_rss`).
 * Beside it what a deletion costs in CPU, and how long a PING waited in the quiet time, in which the memory goes back.
 *
 * redis-server gives back what jemalloc finds free in whole pages; `activedefrag yes`, which would move what is left together, is refused
 * by builds that use the system's jemalloc, as Debian's does. Where a build takes it, it is measured too.
 */
import { spawnSync } from "node:child_process"
import { type Measurable, sleep, startOurs, startRedis, volatileSettings } from "./Children.ts"
import { type Argv, Client, fill } from "./Client.ts"
import { digits } from "./Load.ts"
import { table } from "./Report.ts"

const ratioMax = 1.5
const keptOneOf = 10
/** V8 looks every eight seconds for an occasion to give back what it does not need. */
const quietMs = 20_000

const set = (index: number): Argv => ["SET", `key:${digits(index)}`, digits(index).padStart(32, "v")]
const kept = (index: number): number => index * keptOneOf + keptOneOf - 1
const deleted = (index: number): number => keptOneOf * Math.floor(index / (keptOneOf - 1)) + (index % (keptOneOf - 1))

interface Outcome {
  /** Resident bytes: empty, filled, after the deletion, a second later, after the quiet time. */
  readonly empty: number
  readonly filled: number
  readonly soon: number
  readonly second: number
  readonly end: number
  readonly deleteMicros: number
  readonly quietCpuMs: number
  readonly longestPingMs: number
}

const outcomeOf = async (server: Measurable, keys: number, shrinks: boolean): Promise<Outcome> => {
  const client = await Client.connect(server)
  await sleep(500)
  const { residentBytes, cpuSeconds } = server.process
  const empty = residentBytes()
  const left = Math.floor(keys / keptOneOf)
  await fill(client, shrinks ? keys : left, (index) => set(shrinks ? index : kept(index)))
  const filled = residentBytes()
  const deletions = shrinks ? left * (keptOneOf - 1) : 0
  const cpuBefore = cpuSeconds()
  await fill(client, deletions, (index) => ["DEL", `key:${digits(deleted(index))}`])
  const cpu = cpuSeconds()
  const soon = residentBytes()
  const began = performance.now()
  let second: number | undefined
  let longestPingMs = 0
  while (performance.now() - began < quietMs) {
    const asked = performance.now()
    await client.call("PING")
    longestPingMs = Math.max(longestPingMs, performance.now() - asked)
    if (performance.now() - began > 1000) second ??= residentBytes()
    await sleep(10)
  }
  const end = residentBytes()
  const size = await client.call("DBSIZE")
  if (size !== `:${left}\r\n`) throw new Error(`${server.name} has ${size.trim()} keys left, not ${left}`)
  const quietCpuMs = (cpuSeconds() - cpu) * 1000
  client.close()
  await server.process.stop()
  const deleteMicros = ((cpu - cpuBefore) / deletions) * 1e6
  return { empty, filled, soon, second: second ?? end, end, deleteMicros, quietCpuMs, longestPingMs }
}

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)

export const measureShrinking = async (options: {
  readonly main: string | undefined
  readonly keys: number
}): Promise<number> => {
  const { keys, main } = options
  const defragmenting = [...volatileSettings, "--activedefrag", "yes"]
  const refuses =
    spawnSync("redis-server", [...defragmenting, "--port", "0", "--daemonize", "no"], { timeout: 500 }).status === 1
  const kinds: ReadonlyArray<readonly [string, () => Promise<Measurable>]> = [
    ["ours", () => startOurs(main)],
    ["redis", () => startRedis()],
    ...(refuses ? [] : [["redis, activedefrag", () => startRedis(defragmenting)] as const]),
  ]
  let ours = Number.NaN
  const lines: Array<ReadonlyArray<string>> = []
  for (const [name, begin] of kinds) {
    const shrunk = await outcomeOf(await begin(), keys, true)
    const fresh = await outcomeOf(await begin(), keys, false)
    const ratio = shrunk.end / fresh.end
    if (name === "ours") ours = ratio
    lines.push([
      name,
      ...[shrunk.empty, shrunk.filled, shrunk.soon, shrunk.second, shrunk.end, fresh.end].map(mib),
      ratio.toFixed(2),
      ((shrunk.end - shrunk.empty) / (fresh.end - fresh.empty)).toFixed(2),
      shrunk.deleteMicros.toFixed(2),
      shrunk.quietCpuMs.toFixed(0),
      shrunk.longestPingMs.toFixed(1),
    ])
  }
  const head = [
    ...["resident MiB", "empty", "filled", "deleted", "1 s later", `${quietMs / 1000} s later`, "fresh", "ratio"],
    ...["of growth", "DEL CPU us", "quiet CPU ms", "longest PING ms"],
  ]
  console.log(`${keys} keys, of which one in ${keptOneOf} is left\n${table(head, lines)}`)
  if (refuses) console.log("This redis-server refuses activedefrag: it was built with another jemalloc than its own.")
  console.log(`Ours: ${ours.toFixed(2)} times a fresh server (budget ${ratioMax}).`)
  return ours <= ratioMax ? 0 : 1
}
