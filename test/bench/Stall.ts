/**
 * The longest time the server stands still while it grows: a client asks a thousand times a second while redis-benchmark inserts
 * millions of different keys. A wait longer than the budget counts only as far as it is of our own making: the collector's pauses
 * (from `--trace-gc`) are listed beside the waits. Deletion.ts is about the way back.
 */
import { spawn } from "node:child_process"
import { type Measurable, onProcessor, sleep, startOurs, startRedis, volatileSettings } from "./Children.ts"
import { percentile } from "./Statistics.ts"
import { startSteadyLoad } from "./SteadyLoad.ts"

const asksPerSecond = 1000
const insertBudgetMs = 20
const insertLimitMs = 600_000

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
  const load = await startSteadyLoad(server, asksPerSecond, () => ["PING"])
  await sleep(500)
  load.take()
  const began = performance.now()
  await insert(server, keys)
  const seconds = (performance.now() - began) / 1000
  const waits = load.take()
  await load.stop()
  const resident = (server.process.residentBytes() / 2 ** 20).toFixed(0)
  console.log(
    `${server.name}: ${keys} keys in ${seconds.toFixed(0)} s, ${resident} MiB; ` +
      `p99 ${percentile(waits, 0.99).toFixed(1)} ms, p99.9 ${percentile(waits, 0.999).toFixed(1)} ms, ` +
      `longest ${largest(waits, 5)} ms\n${collectionsLine(server.process.output())}`,
  )
  return percentile(waits, 1)
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
