/**
 * How long a server needs to read its files again. redis-server writes each data set once, as a snapshot and as a log of commands
 * (`aof-use-rdb-preamble no`, nothing rewritten); then both servers start from copies of the same files, by turns. What counts is the
 * CPU time of all threads from the start of the process to the first PONG, start-up included (budget: twice redis-server's); the time
 * that passed stands beside it, but depends on who else uses the machine.
 *
 * Values are drawn from a fixed seed: random letters and digits, which no compression shortens.
 */
import { cpSync, rmSync } from "node:fs"
import { join } from "node:path"
import { type Measurable, startOurs, startRedis, temporaryDirectory } from "./Children.ts"
import { type Argv, Client, fill } from "./Client.ts"
import { digits } from "./Load.ts"
import { table } from "./Report.ts"
import { spread } from "./Statistics.ts"

const ratioMax = 2
/** A server that loads is asked this often; each question costs it a connection. */
const askEveryMs = 25

let state = 12345
const text = (length: number): string => {
  let drawn = ""
  while (drawn.length < length) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    drawn += state.toString(36)
  }
  return drawn.slice(0, length)
}

const stringOf = (index: number): Argv => ["SET", `key:${digits(index)}`, text(32)]

/** Half plain strings; numbers, deadlines, and small collections of each kind. */
const mixedOf = (index: number): Argv => {
  const key = `key:${digits(index)}`
  switch (index % 10) {
    case 5:
      return ["SET", key, String(index)]
    case 6:
      return ["HSET", key, "name", text(32), "age", String(index % 90), "city", "Bern"]
    case 7:
      return ["RPUSH", key, "a", text(32), "c", String(index)]
    case 8:
      return ["ZADD", key, "1", "a", "2.5", "b", String(index), text(32)]
    case 9:
      return index % 20 === 9 ? ["SADD", key, "a", "b", text(32)] : ["SET", key, text(32), "EX", "864000"]
    default:
      return stringOf(index)
  }
}

const dataSets = [
  ["strings of 16 + 32 bytes", stringOf],
  ["mixed types", mixedOf],
] as const

const flags = ["--save", "", "--auto-aof-rewrite-percentage", "0"]

const writeFiles = async (keys: number, argv: (index: number) => Argv): Promise<string> => {
  const directory = temporaryDirectory()
  const settings = ["--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--appendfsync", "no"]
  const redis = await startRedis([...flags, ...settings], directory)
  const client = await Client.connect(redis)
  await fill(client, keys, argv)
  await client.call("SAVE")
  client.close()
  await redis.process.stop()
  return directory
}

interface Load {
  readonly cpu: number
  readonly seconds: number
}

const loadOnce = async (
  from: string,
  keys: number,
  to: (directory: string) => string,
  startServer: (directory: string) => Promise<Measurable>,
): Promise<Load> => {
  const directory = temporaryDirectory()
  cpSync(from, to(directory), { recursive: true })
  const began = performance.now()
  const server = await startServer(directory)
  const seconds = (performance.now() - began) / 1000
  const cpu = server.process.cpuSeconds()
  const client = await Client.connect(server)
  const size = await client.call("DBSIZE")
  client.close()
  await server.process.stop()
  rmSync(directory, { recursive: true, force: true })
  if (size !== `:${keys}\r\n`) throw new Error(`${server.name} loaded ${size.trim()} keys of ${keys}`)
  return { cpu, seconds }
}

export const measureLoading = async (options: {
  readonly main: string | undefined
  readonly keys: number
  readonly rounds: number
  /** The one data set whose name begins so; absent for all. */
  readonly only: string | undefined
}): Promise<number> => {
  const { main, keys, rounds } = options
  const lines: Array<ReadonlyArray<string>> = []
  let withinBudget = true
  for (const [name, argv] of dataSets.filter(([title]) => title.startsWith(options.only ?? ""))) {
    const files = await writeFiles(keys, argv)
    for (const [format, appendonly] of [
      ["snapshot", "no"],
      ["log", "yes"],
    ] as const) {
      const all = [...flags, "--appendonly", appendonly]
      const from = appendonly === "no" ? join(files, "dump.rdb") : join(files, "appendonlydir")
      const to = (directory: string): string => join(directory, appendonly === "no" ? "dump.rdb" : "appendonlydir")
      const ours: Array<Load> = []
      const redis: Array<Load> = []
      for (let round = 0; round < rounds; round++) {
        const load = (startServer: (directory: string) => Promise<Measurable>): Promise<Load> =>
          loadOnce(from, keys, to, startServer)
        ours.push(await load((directory) => startOurs(main, all, { directory, askEveryMs })))
        redis.push(await load((directory) => startRedis(all, directory, askEveryMs)))
      }
      const cpuRatio = spread(ours.map(({ cpu }, round) => cpu / redis[round]!.cpu))
      if (!(cpuRatio.median <= ratioMax)) withinBudget = false
      const median = (loads: ReadonlyArray<Load>, what: keyof Load): string =>
        spread(loads.map((load) => load[what])).median.toFixed(2)
      lines.push([
        `${name}, ${format}`,
        ...[median(ours, "cpu"), median(redis, "cpu")],
        `${cpuRatio.median.toFixed(2)} (${cpuRatio.least.toFixed(2)}-${cpuRatio.most.toFixed(2)})`,
        ...[median(ours, "seconds"), median(redis, "seconds")],
        spread(ours.map(({ seconds }, round) => seconds / redis[round]!.seconds)).median.toFixed(2),
      ])
    }
  }
  const head = [`${keys} keys`, "CPU s ours", "redis", `ratio (at most ${ratioMax})`, "time s ours", "redis", "ratio"]
  console.log(table(head, lines))
  return withinBudget ? 0 : 1
}
