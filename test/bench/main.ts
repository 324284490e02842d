/**
 * `npm run bench`: ours beside redis-server and a bare `node:net` echo, on this machine, now.
 *
 *   npm run bench                          SET GET INCR PING_MBULK at pipeline 1, 16 and 100; under five minutes
 *   npm run bench -- --standard            all of redis-benchmark's standard tests
 *   npm run bench -- --tests get --pipelines 16 --clients 1000 --size 1024 --rounds 3
 *   npm run bench -- --json FILE           writes the figures; compare OLD [NEW] shows what changed since
 *   npm run bench -- --also HOST:PORT      one more server that speaks RESP
 *   npm run bench -- --ours FILE           another build of ours
 *   npm run bench -- --gate 2.5            fails when CPU per command (geometric mean of a depth) exceeds this ratio
 *   npm run bench -- scripts               EVALSHA and FCALL of one GET and one SET, likewise
 *   npm run bench -- memory --keyspace map
 *   npm run bench -- complexity | memory | shrinking | snapshot | load | stall | latency | deletion | connections | blocked | start
 *   npm run bench -- eviction | fanout | replication | profile TEST | plots
 *
 * `--keys`, `--requests` and `--rounds` say how much of it; in the modes that have a size, `--keys` is that (elements, connections,
 * clients). `--only NAME` takes the cases of that name (complexity, memory, load, deletion, eviction), `--rate N` and `--node FLAG` set
 * the rate and a flag of node's (latency), `--limit N` the seconds after which the default mode ends, or that a run lasts (latency).
 * `--short` is for CI. complexity takes half an hour, and one to three minutes with `--only` and the name of one of its families.
 *
 * What is fair: both servers get one processor and no disk, the same connections and the same bytes; the echo's replies
 * are its requests. Connecting is part of each run. Each mode's own file says how it measures.
 */
import { parseArgs } from "node:util"
import { hasPrograms, pinSelf } from "./Children.ts"
import { measureComplexity } from "./Complexity.ts"
import { measureBlocked, measureConnections, measureStart } from "./Connections.ts"
import { measureDeletion } from "./Deletion.ts"
import { measureEviction } from "./Eviction.ts"
import { measureFanout } from "./Fanout.ts"
import { measureLatency } from "./Latency.ts"
import { quickTests, scriptTests, standardTests, testsNamed } from "./Load.ts"
import { measureLoading } from "./Loading.ts"
import { measureMemory } from "./Memory.ts"
import { profile } from "./Profile.ts"
import { measureReplication } from "./Replicating.ts"
import { comparison, cpuRatioAt, pipelinesOf, read, speedReport, write } from "./Report.ts"
import { measureShrinking } from "./Shrinking.ts"
import { measureSnapshot } from "./Snapshot.ts"
import { measureSpeed, type Plan, type Row } from "./Speed.ts"
import { measureStall } from "./Stall.ts"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    standard: { type: "boolean", default: false },
    short: { type: "boolean", default: false },
    tests: { type: "string" },
    pipelines: { type: "string" },
    clients: { type: "string", default: "50" },
    size: { type: "string", default: "3" },
    keys: { type: "string" },
    rounds: { type: "string" },
    requests: { type: "string" },
    limit: { type: "string" },
    json: { type: "string" },
    gate: { type: "string" },
    also: { type: "string", multiple: true, default: [] },
    only: { type: "string" },
    ours: { type: "string" },
    node: { type: "string", multiple: true, default: [] },
    rate: { type: "string" },
    keyspace: { type: "string" },
  },
})

const whole = (text: string | undefined, otherwise: number): number => {
  const value = text === undefined ? otherwise : Number(text)
  if (!Number.isSafeInteger(value) || value <= 0) throw new Error(`${text} is not a whole number above 0`)
  return value
}

const hostAndPort = (text: string): { readonly host: string; readonly port: number } => {
  const colon = text.lastIndexOf(":")
  return { host: colon < 0 ? "127.0.0.1" : text.slice(0, colon), port: whole(text.slice(colon + 1), 0) }
}

/** `--short` is for CI: long enough to see a ratio, short enough to run each time. */
const plan = (): Plan => ({
  tests: values.standard ? standardTests : testsNamed(values.tests?.split(",") ?? quickTests),
  pipelines: (values.pipelines ?? "1,16,100").split(",").map((text) => whole(text, 0)),
  clients: whole(values.clients, 50),
  sizeBytes: whole(values.size, 3),
  keys: whole(values.keys, 100_000),
  rounds: whole(values.rounds, values.short || values.standard ? 3 : 5),
  requests: whole(values.requests, values.short ? 20_000 : values.standard ? 60_000 : 100_000),
  limitSeconds: whole(values.limit, values.standard ? 1500 : values.short ? 60 : 240),
  main: values.ours,
  also: values.also.map(hostAndPort),
})

const progress = (row: Row): void => {
  const at = `${row.test} P${row.pipeline}`.padEnd(18)
  console.error(`${at} CPU ${row.cpuRatio.median.toFixed(2)}  throughput ${row.throughputRatio.median.toFixed(2)}`)
}

const runSpeed = async (compareWith: string | undefined, planned = plan()): Promise<number> => {
  const rows = await measureSpeed(planned, progress)
  console.log(speedReport(rows))
  if (values.json !== undefined) write(values.json, rows)
  if (compareWith !== undefined) console.log(`\n${comparison(read(compareWith), rows)}`)
  if (values.gate === undefined) return 0
  const gate = Number(values.gate)
  const over = pipelinesOf(rows).filter((pipeline) => !(cpuRatioAt(rows, pipeline) <= gate))
  for (const pipeline of over) {
    console.log(`CPU per command at pipeline ${pipeline} is ${cpuRatioAt(rows, pipeline).toFixed(2)}x, above ${gate}x`)
  }
  return over.length === 0 ? 0 : 1
}

const compare = async (older: string | undefined, newer: string | undefined): Promise<number> => {
  if (older === undefined) throw new Error("compare needs a file that --json wrote")
  if (newer === undefined) return runSpeed(older)
  console.log(comparison(read(older), read(newer).rows))
  return 0
}

const run = async (): Promise<number> => {
  const [mode, first, second] = positionals
  if (mode === "compare" && second !== undefined) return compare(first, second)
  if (!hasPrograms("redis-server", "redis-benchmark")) {
    throw new Error("redis-server and redis-benchmark are needed (Debian: redis-server, redis-tools)")
  }
  pinSelf()
  switch (mode) {
    case undefined:
      return runSpeed(undefined)
    case "compare":
      return compare(first, second)
    case "scripts":
      return runSpeed(undefined, { ...plan(), tests: scriptTests })
    case "complexity":
      return measureComplexity({ main: values.ours, only: values.only, largest: whole(values.keys, 1_024_000) })
    case "memory":
      return measureMemory({
        main: values.ours,
        only: values.only,
        keys: whole(values.keys, 3_000_000),
        keyspace: values.keyspace,
      })
    case "shrinking":
      return measureShrinking({ main: values.ours, keys: whole(values.keys, 2_000_000) })
    case "snapshot":
      return measureSnapshot({ main: values.ours, keys: whole(values.keys, 1_000_000) })
    case "load":
      return measureLoading({
        main: values.ours,
        only: values.only,
        keys: whole(values.keys, 1_000_000),
        rounds: whole(values.rounds, 3),
      })
    case "stall":
      return measureStall({ main: values.ours, keys: whole(values.keys, 10_000_000) })
    case "deletion":
      return measureDeletion({
        ...{ main: values.ours, only: values.only },
        ...{ elements: whole(values.keys, 1_000_000), rounds: whole(values.rounds, 3) },
      })
    case "latency":
      return measureLatency({
        main: values.ours,
        nodeFlags: values.node,
        keys: whole(values.keys, 5_000_000),
        rounds: whole(values.rounds, 5),
        seconds: whole(values.limit, 8),
        rate: values.rate === undefined ? undefined : whole(values.rate, 0),
      })
    case "connections":
      return measureConnections({ main: values.ours, connections: whole(values.keys, 10_000) })
    case "blocked":
      return measureBlocked({ main: values.ours, clients: whole(values.keys, 5000) })
    case "eviction":
      return measureEviction({ main: values.ours, only: values.only })
    case "fanout":
      return measureFanout({ main: values.ours, subscribers: 1000, messages: whole(values.requests, 10_000) })
    case "replication":
      return measureReplication({
        main: values.ours,
        keys: whole(values.keys, 1_000_000),
        requests: whole(values.requests, 200_000),
        rounds: whole(values.rounds, 3),
      })
    case "start":
      return measureStart({ main: values.ours, rounds: whole(values.rounds, 7) })
    case "plots":
      // Loaded only here: the drawing library takes longer to load than all the rest.
      return (await import("./Plots.ts")).makePlots({ ...plan(), keys: whole(values.keys, 1_000_000) })
    case "profile":
      return profile({ ...plan(), test: testsNamed([first ?? "set"])[0]!, pipeline: whole(values.pipelines, 1) })
    default:
      throw new Error(`no mode ${mode}; test/bench/main.ts lists them`)
  }
}

try {
  process.exit(await run())
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
