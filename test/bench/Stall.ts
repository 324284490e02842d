/**
 * The longest time the server stands still while it grows: a client asks a thousand times a second while redis-benchmark inserts
 * millions of different keys. A wait longer than the budget counts only as far as it is of our own making: the collector's pauses
 * (from `--trace-gc`) are listed beside the waits, and what the kernel says that the server or the asking process waited for a
 * processor meanwhile, the longer of the two, is taken off. Deletion.ts is about the way back.
 * How far it has come is said every ten seconds, so that also a run that is given up on a busy machine says something.
 */
import { spawn } from "node:child_process"
import {
  delayedMsOf,
  type Measurable,
  onProcessor,
  sleep,
  startOurs,
  startRedis,
  volatileSettings,
} from "./Children.ts"
import { Client } from "./Client.ts"
import { percentile } from "./Statistics.ts"
import { startSteadyLoad, type Wait } from "./SteadyLoad.ts"

const asksPerSecond = 1000
const insertBudgetMs = 20
const insertLimitMs = 600_000
const sampledEveryMs = 1
const saidEveryMs = 10_000

/** Inserts nearly `keys` different keys: they are drawn from two thousand million. */
const insert = (server: Measurable, keys: number): Promise<void> =>
  new Promise((done, failed) => {
    const flags = ["-p", server.port, "-n", keys, "-r", 2_000_000_000, "-P", 16, "-c", 10, "-d", 32, "-t", "set", "-q"]
    const [program, ...args] = onProcessor(1, ["nice", "-n", "10", "redis-benchmark", ...flags.map(String)])
    const child = spawn(program!, args, { stdio: "ignore", timeout: insertLimitMs, killSignal: "SIGKILL" })
    process.once("exit", () => child.kill("SIGKILL"))
    child.once("error", failed)
    child.once("close", (code) =>
      code === 0 ? done() : failed(new Error(`inserting ended with ${code}; ${server.process.output().slice(-500)}`)),
    )
  })

/** How long two processes have waited for a processor, now and then. */
interface Delays {
  readonly atMs: number
  readonly server: number
  readonly own: number
}

/** Samples until it is stopped. */
const watchDelays = (server: Measurable): { readonly stop: () => ReadonlyArray<Delays> } => {
  const samples: Array<Delays> = []
  const look = () =>
    samples.push({ atMs: performance.now(), server: server.process.delayedMs(), own: delayedMsOf("self") })
  look()
  const timer = setInterval(look, sampledEveryMs)
  return {
    stop: () => {
      clearInterval(timer)
      look()
      return samples
    },
  }
}

/**
 * How much of each wait is left without what the machine kept a processor from the server or from who asks. They may have waited at
 * the same time, so only the longer of the two counts. `samples` begin before the first wait, and both are in order of time.
 */
export const ownWaits = (waits: ReadonlyArray<Wait>, samples: ReadonlyArray<Delays>): ReadonlyArray<number> => {
  let before = 0
  return waits.map(({ dueMs, ms }) => {
    while (before + 1 < samples.length && samples[before + 1]!.atMs <= dueMs) before++
    let after = before
    while (after + 1 < samples.length && samples[after]!.atMs < dueMs + ms) after++
    const [from, to] = [samples[before]!, samples[after]!]
    return Math.max(0, ms - Math.max(to.server - from.server, to.own - from.own))
  })
}

/** Says every now and then how far the inserting is, until it is stopped. */
const sayProgress = (server: Measurable, keys: number, client: Client): { readonly stop: () => void } => {
  const began = performance.now()
  const timer = setInterval(async () => {
    const size = Number((await client.call("DBSIZE")).slice(1))
    const seconds = ((performance.now() - began) / 1000).toFixed(0)
    console.error(`${server.name}: ${size} of ${keys} keys after ${seconds} s, ${mebibytes(server)} MiB`)
  }, saidEveryMs)
  return { stop: () => clearInterval(timer) }
}

const mebibytes = (server: Measurable): string => (server.process.residentBytes() / 2 ** 20).toFixed(0)

const largest = (values: ReadonlyArray<number>, count: number): string =>
  [...values]
    .sort((a, b) => b - a)
    .slice(0, count)
    .map((value) => value.toFixed(0))
    .join(" ")

/** The pauses in milliseconds that V8 reported, by kind. */
export const collections = (output: string): ReadonlyArray<readonly [kind: string, ms: number]> =>
  [...output.matchAll(/ms: (Scavenge|Mark-[A-Za-z-]+)[^\n]*? MB, (?:pooled: [^,]*, )?([\d.]+) \//g)].map(
    ([, kind, ms]) => [kind!, Number(ms)] as const,
  )

/** The longest pauses that V8 reported in `output`, in a line for people; nothing when there were none. */
export const collectionsLine = (output: string): string => {
  const pauses = collections(output)
  const of = (scavenge: boolean): ReadonlyArray<number> =>
    pauses.filter(([kind]) => (kind === "Scavenge") === scavenge).map(([, ms]) => ms)
  return pauses.length === 0
    ? ""
    : `  longest collections, ms: young ${largest(of(true), 5)}; full ${largest(of(false), 5)}\n`
}

const whileInserting = async (server: Measurable, keys: number): Promise<number> => {
  const client = await Client.connect(server)
  const load = await startSteadyLoad(server, asksPerSecond, () => ["PING"])
  await sleep(500)
  load.take()
  const delays = watchDelays(server)
  const progress = sayProgress(server, keys, client)
  const began = performance.now()
  await insert(server, keys)
  const seconds = (performance.now() - began) / 1000
  const waits = load.takeWaits()
  const own = ownWaits(waits, delays.stop())
  progress.stop()
  await load.stop()
  const held = Number((await client.call("DBSIZE")).slice(1))
  client.close()
  const of = (kind: string, values: ReadonlyArray<number>): string =>
    `  ${kind}: p99 ${percentile(values, 0.99).toFixed(1)} ms, p99.9 ${percentile(values, 0.999).toFixed(1)} ms, ` +
    `longest ${largest(values, 5)} ms\n`
  const all = of(
    "waits",
    waits.map(({ ms }) => ms),
  )
  console.log(
    `${server.name}: ${held} keys in ${seconds.toFixed(0)} s, ${mebibytes(server)} MiB\n${all}` +
      `${of("without waiting for a processor", own)}${collectionsLine(server.process.output())}`,
  )
  return percentile(own, 1)
}

export const measureStall = async (options: {
  readonly main: string | undefined
  readonly keys: number
}): Promise<number> => {
  const ours = await startOurs(options.main, volatileSettings, { nodeFlags: ["--trace-gc"] })
  const longest = await whileInserting(ours, options.keys)
  await ours.process.stop()
  const redis = await startRedis()
  await whileInserting(redis, options.keys)
  await redis.process.stop()
  const collected = Math.max(0, ...collections(ours.process.output()).map(([, ms]) => ms))
  const own = longest - collected
  console.log(
    `longest wait while inserting, less the longest collection: ${own.toFixed(1)} ms (budget ${insertBudgetMs})`,
  )
  return own <= insertBudgetMs ? 0 : 1
}
