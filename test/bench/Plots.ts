/**
 * `plots`: how throughput follows the pipeline's depth, how latencies are distributed, and how memory and time follow the
 * number of keys; drawn to `test/bench/plots/*.svg`, with the points, the machine and the versions in `plots.json` beside
 * them. Each point is the median of alternating runs, as in the default mode. Takes about five minutes.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Measurable, projectRoot, sleep, startFloor, startOurs, startRedis } from "./Children.ts"
import { Client, fill } from "./Client.ts"
import { type Plot, type Point, svg } from "./Draw.ts"
import { digits, type LoadTest, measure, type Measured, prepare, type Shape, testsNamed } from "./Load.ts"
import { surroundings } from "./Report.ts"
import { median } from "./Statistics.ts"

const folder = join(projectRoot, "test/bench/plots")
const depths = [1, 2, 4, 8, 16, 32, 64, 100]
const rounds = 3
const settleMs = 1500

interface Options {
  readonly main: string | undefined
  readonly clients: number
  readonly sizeBytes: number
  readonly keys: number
}

/** `rounds` runs of each server in turn, after one to warm up. */
const alternate = async (
  servers: ReadonlyArray<Measurable>,
  test: LoadTest,
  shape: Shape,
): Promise<ReadonlyMap<string, ReadonlyArray<Measured>>> => {
  const runs = new Map<string, Array<Measured>>(servers.map((server) => [server.name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const server of servers) {
      const run = await measure(server, test, shape)
      if (round > 0) runs.get(server.name)!.push(run)
    }
  }
  return runs
}

const throughputByDepth = async (servers: ReadonlyArray<Measurable>, shape: Shape): Promise<ReadonlyArray<Point>> => {
  const points: Array<Point> = []
  for (const test of testsNamed(["SET", "GET"])) {
    for (const server of servers) if (server.name !== "floor") await prepare(server, test, shape)
    for (const pipeline of depths) {
      const requests = 40_000 * Math.min(pipeline, 10)
      for (const [server, runs] of await alternate(servers, test, { ...shape, pipeline, requests })) {
        const y = median(runs.map((run) => run.requestsPerSecond)) / 1000
        points.push({ server, x: pipeline, y, panel: test.name })
      }
    }
  }
  return points
}

/** x is how many replies share one that is slower: 100 stands for the 99th percentile. */
const latencies = async (servers: ReadonlyArray<Measurable>, shape: Shape): Promise<ReadonlyArray<Point>> => {
  const points: Array<Point> = []
  for (const test of testsNamed(["SET", "GET"])) {
    for (const [server, runs] of await alternate(servers, test, { ...shape, pipeline: 1, requests: 100_000 })) {
      const middle = [...runs].sort((a, b) => a.p99Ms - b.p99Ms)[runs.length >> 1]!
      for (const [percent, milliseconds] of middle.distribution) {
        const x = 100 / (100 - percent)
        if (x >= 2 && x <= 10_000) points.push({ server, x, y: milliseconds, panel: test.name })
      }
    }
  }
  return points
}

interface BySize {
  readonly memory: ReadonlyArray<Point>
  readonly time: ReadonlyArray<Point>
}

/** 10, 30, 100, 300 thousand, and so on. */
const next = (keys: number): number => {
  const decade = 10 ** Math.floor(Math.log10(keys))
  return keys === decade ? 3 * decade : 10 * decade
}

const byKeys = async (begin: () => Promise<Measurable>, most: number, shape: Shape): Promise<BySize> => {
  const server = await begin()
  const client = await Client.connect(server)
  const [get] = testsNamed(["GET"])
  const empty = server.process.residentBytes()
  const memory: Array<Point> = []
  const time: Array<Point> = []
  let filled = 0
  for (let keys = 10_000; keys <= most; keys = next(keys)) {
    const from = filled
    await fill(client, keys - from, (i) => ["SET", `key:${digits(from + i)}`, digits(from + i).padStart(32, "v")])
    filled = keys
    const wide: Shape = { ...shape, keys, pipeline: 16, requests: 200_000 }
    const micros: Array<number> = []
    for (let round = 0; round <= rounds; round++) {
      const run = await measure(server, get!, wide)
      if (round > 0) micros.push(run.cpuMicros!)
    }
    await sleep(settleMs)
    memory.push({ server: server.name, x: keys, y: (server.process.residentBytes() - empty) / 2 ** 20 })
    time.push({ server: server.name, x: keys, y: median(micros) })
  }
  client.close()
  await server.process.stop()
  return { memory, time }
}

const keyAxis = { title: "keys", logarithmic: true, label: "format(datum.value, '~s')" }

const draw = async (name: string, plot: Plot): Promise<void> => {
  writeFileSync(join(folder, `${name}.svg`), `${await svg(plot)}\n`)
  console.error(`${name}.svg`)
}

export const makePlots = async (options: Options): Promise<number> => {
  const about = surroundings()
  const versions = Object.entries(about.versions).map(([name, version]) => `${name} ${version}`)
  const subtitle = [`${about.machine}; ${versions.join(", ")}`, `${about.when.slice(0, 10)}; ${about.command}`]
  const shape: Shape = {
    clients: options.clients,
    sizeBytes: options.sizeBytes,
    keys: 100_000,
    pipeline: 1,
    requests: 0,
  }
  const servers = [await startOurs(options.main), await startRedis(), await startFloor()]
  const throughput = await throughputByDepth(servers, shape)
  const latency = await latencies(servers, shape)
  await Promise.all(servers.map((server) => server.process.stop()))
  const sizes = [await byKeys(() => startOurs(options.main), options.keys, shape)]
  sizes.push(await byKeys(() => startRedis(), options.keys, shape))
  const memory = sizes.flatMap((size) => size.memory)
  const time = sizes.flatMap((size) => size.time)

  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "plots.json"), `${JSON.stringify({ ...about, throughput, latency, memory, time })}\n`)
  await draw("throughput", {
    title: `Throughput by pipeline depth, ${options.clients} clients`,
    subtitle,
    x: { title: "commands in a pipeline", logarithmic: true, values: depths },
    y: { title: "thousand commands a second", logarithmic: true },
    points: throughput,
  })
  await draw("latency", {
    title: `Latency at full load, ${options.clients} clients, pipeline 1`,
    subtitle,
    x: {
      title: "percentile",
      logarithmic: true,
      values: [2, 10, 100, 1000, 10_000],
      label: "format(100 - 100 / datum.value, '.6~f')",
    },
    y: { title: "milliseconds", logarithmic: true },
    points: latency,
  })
  await draw("memory", {
    title: "Resident memory, keys of 16 bytes with values of 32",
    subtitle,
    x: keyAxis,
    y: { title: "MiB above an empty server", logarithmic: true },
    points: memory,
  })
  await draw("time", {
    title: "GET at pipeline 16 by the number of keys",
    subtitle,
    x: keyAxis,
    y: { title: "CPU microseconds a command", logarithmic: false },
    points: time,
  })
  return 0
}
