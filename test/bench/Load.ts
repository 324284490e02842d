/**
 * What is sent: redis-benchmark's own tests, one at a time, and how redis-benchmark's report is read. A test that needs data
 * (GET, LPOP, LRANGE) brings it, so that the time measured holds that test's commands and nothing else; redis-benchmark's
 * `-t lrange_100` would time the filling as well, so LRANGE is given as a command.
 */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { onProcessor, type Server } from "./Children.ts"
import { type Argv, Client, fill } from "./Client.ts"

export interface Shape {
  readonly clients: number
  readonly pipeline: number
  readonly requests: number
  readonly sizeBytes: number
  /** How many different keys or members are drawn from. */
  readonly keys: number
}

export interface LoadTest {
  readonly name: string
  /** One command as the test sends it; `__rand_int__` stands for twelve digits drawn anew each time. */
  readonly command: (sizeBytes: number) => Argv
  /** Set where redis-benchmark has to be given the command itself. */
  readonly explicit?: true
  /** What must be there before `requests` commands are sent; needed again before each run if the commands use it up. */
  readonly data?: (client: Client, shape: Shape) => Promise<void>
  /** The keyspace is emptied (and filled) before each run, because the commands grow it or use it up. */
  readonly fresh?: true
  /** Replies come in an order that Redis leaves open. */
  readonly unordered?: true
}

const value = (sizeBytes: number): string => "x".repeat(sizeBytes)

const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex")

export const digits = (index: number): string => String(index).padStart(12, "0")

const fillList = (client: Client, length: number, sizeBytes: number): Promise<void> => {
  const elements = 100
  const element = value(sizeBytes)
  return fill(client, Math.ceil(length / elements), () => ["RPUSH", "mylist", ...Array<string>(elements).fill(element)])
}

const pushed = { data: (client: Client, shape: Shape) => fillList(client, shape.requests, shape.sizeBytes) }

const range = (count: number): LoadTest => ({
  name: `LRANGE_${count}`,
  command: () => ["LRANGE", "mylist", "0", String(count - 1)],
  explicit: true,
  data: (client, shape) => fillList(client, 1000, shape.sizeBytes),
})

/** In redis-benchmark's order. */
export const standardTests: ReadonlyArray<LoadTest> = [
  { name: "PING_INLINE", command: () => ["PING"] },
  { name: "PING_MBULK", command: () => ["PING"] },
  { name: "SET", command: (size) => ["SET", "key:__rand_int__", value(size)] },
  {
    name: "GET",
    command: () => ["GET", "key:__rand_int__"],
    data: (client, { keys, sizeBytes }) =>
      fill(client, keys, (index) => ["SET", `key:${digits(index)}`, value(sizeBytes)]),
  },
  { name: "INCR", command: () => ["INCR", "counter:__rand_int__"] },
  { name: "LPUSH", command: (size) => ["LPUSH", "mylist", value(size)], fresh: true },
  { name: "RPUSH", command: (size) => ["RPUSH", "mylist", value(size)], fresh: true },
  { name: "LPOP", command: () => ["LPOP", "mylist"], fresh: true, ...pushed },
  { name: "RPOP", command: () => ["RPOP", "mylist"], fresh: true, ...pushed },
  { name: "SADD", command: () => ["SADD", "myset", "element:__rand_int__"], fresh: true },
  { name: "HSET", command: (size) => ["HSET", "myhash", "element:__rand_int__", value(size)], fresh: true },
  {
    name: "SPOP",
    command: () => ["SPOP", "myset"],
    fresh: true,
    unordered: true,
    data: (client, { requests }) => fill(client, requests, (index) => ["SADD", "myset", `element:${digits(index)}`]),
  },
  { name: "ZADD", command: () => ["ZADD", "myzset", "__rand_int__", "element:__rand_int__"], fresh: true },
  {
    name: "ZPOPMIN",
    command: () => ["ZPOPMIN", "myzset"],
    fresh: true,
    data: (client, { requests }) =>
      fill(client, requests, (index) => [
        "ZADD",
        "myzset",
        digits((index * 7919) % requests),
        `element:${digits(index)}`,
      ]),
  },
  range(100),
  range(300),
  range(500),
  range(600),
  {
    name: "MSET",
    command: (size) => ["MSET", ...Array.from({ length: 10 }, () => ["key:__rand_int__", value(size)]).flat()],
  },
]

/** One read and one write, as locks, counters and rate limiters have them. */
const readAndWrite = "local old=redis.call('GET',KEYS[1]) redis.call('SET',KEYS[1],ARGV[1]) return old"
const asFunction = `#!lua name=bench\nredis.register_function('bench',function(KEYS,ARGV) ${readAndWrite} end)`

/** Not among redis-benchmark's tests: scripts and functions with a key and an argument. */
export const scriptTests: ReadonlyArray<LoadTest> = [
  {
    name: "EVALSHA",
    command: (size) => ["EVALSHA", sha1(readAndWrite), "1", "key:__rand_int__", value(size)],
    explicit: true,
    data: async (client) => {
      await client.call("SCRIPT", "LOAD", readAndWrite)
    },
  },
  {
    name: "FCALL",
    command: (size) => ["FCALL", "bench", "1", "key:__rand_int__", value(size)],
    explicit: true,
    data: async (client) => {
      await client.call("FUNCTION", "LOAD", "REPLACE", asFunction)
    },
  },
]

export const quickTests = ["SET", "GET", "INCR", "PING_MBULK"]

export const testsNamed = (names: ReadonlyArray<string>): ReadonlyArray<LoadTest> =>
  names.map((name) => {
    const all = [...standardTests, ...scriptTests]
    const found = all.find((test) => test.name === name.toUpperCase())
    if (found === undefined) throw new Error(`no test ${name}; there are ${all.map((test) => test.name).join(" ")}`)
    return found
  })

/** Brings a server into the state that the test begins with. */
export const prepare = async (server: Server, test: LoadTest, shape: Shape): Promise<void> => {
  const client = await Client.connect(server)
  await client.call("FLUSHALL")
  await test.data?.(client, shape)
  client.close()
}

export interface Measured {
  readonly requestsPerSecond: number
  /** Microseconds of the server's CPU time per command; undefined for a server that is not ours to look at. */
  readonly cpuMicros: number | undefined
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  /** The whole distribution: this percentage of replies came within these milliseconds. */
  readonly distribution: ReadonlyArray<readonly [percent: number, milliseconds: number]>
}

const runLimitMs = 90_000

const redisBenchmark = (args: ReadonlyArray<string>): Promise<string> =>
  new Promise((done, failed) => {
    const [program, ...rest] = onProcessor(1, ["redis-benchmark", ...args])
    const child = spawn(program!, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: runLimitMs,
      killSignal: "SIGKILL",
    })
    const stop = (): boolean => child.kill("SIGKILL")
    process.once("exit", stop)
    let output = ""
    child.stdout.on("data", (chunk) => (output += chunk))
    child.stderr.on("data", (chunk) => (output += chunk))
    child.once("error", failed)
    child.once("close", (code) => {
      process.off("exit", stop)
      if (code === 0) done(output)
      else failed(new Error(`redis-benchmark ${args.join(" ")} ended with ${code}:\n${output.slice(-500)}`))
    })
  })

const number = (text: string, pattern: RegExp): number => {
  const match = pattern.exec(text)
  if (match === null) throw new Error(`redis-benchmark's report lacks ${pattern}:\n${text.slice(-800)}`)
  return Number(match[1])
}

const distributionIn = (report: string): Measured["distribution"] =>
  [...report.slice(0, report.indexOf("Cumulative distribution")).matchAll(/([\d.]+)% <= ([\d.]+) milliseconds/g)].map(
    ([, percent, milliseconds]) => [Number(percent), Number(milliseconds)] as const,
  )

/** One run of redis-benchmark against one server, with the CPU time that the server used meanwhile. */
export const measure = async (server: Server, test: LoadTest, shape: Shape): Promise<Measured> => {
  const common = ["-h", server.host, "-p", server.port, "-c", shape.clients, "-P", shape.pipeline, "-n", shape.requests]
  const what = test.explicit === true ? test.command(shape.sizeBytes) : ["-t", test.name.toLowerCase()]
  const flags = [...common, "-r", shape.keys, "-d", shape.sizeBytes, "--precision", 3]
  const before = server.process?.cpuSeconds()
  const report = await redisBenchmark([...flags.map(String), ...what])
  const after = server.process?.cpuSeconds()
  const distribution = distributionIn(report)
  const latency = String.raw`latency summary[^\n]*\n[^\n]*\n`
  return {
    requestsPerSecond: number(report, /throughput summary: ([\d.]+)/),
    cpuMicros: before === undefined || after === undefined ? undefined : ((after - before) * 1e6) / shape.requests,
    p50Ms: number(report, new RegExp(String.raw`${latency}\s+[\d.]+\s+[\d.]+\s+([\d.]+)`)),
    p99Ms: number(report, new RegExp(String.raw`${latency}\s+(?:[\d.]+\s+){4}([\d.]+)`)),
    p999Ms: distribution.find(([percent]) => percent >= 99.9)?.[1] ?? Number.NaN,
    distribution,
  }
}
