/**
 * The default measurement: how fast, and at what cost in CPU time, ours answers redis-benchmark beside redis-server and a
 * bare `node:net` echo. One run of each server follows another (ours, redis, floor, then the other way round), so that
 * whatever else the machine does meets all of them; every ratio is taken within one such round, and medians of the ratios
 * are reported with their smallest and largest. CPU time is the figure to trust: on a shared machine throughput also
 * measures the neighbours.
 */
import { proveAgreement } from "./Agreement.ts"
import { type Server, startFloor, startOurs, startRedis } from "./Children.ts"
import { type LoadTest, measure, type Measured, prepare, type Shape } from "./Load.ts"
import { median, type Spread, spread } from "./Statistics.ts"

export interface Plan {
  readonly tests: ReadonlyArray<LoadTest>
  readonly pipelines: ReadonlyArray<number>
  readonly clients: number
  readonly sizeBytes: number
  readonly keys: number
  readonly rounds: number
  /** Requests per run at pipeline 1; deeper pipelines send more, to take about as long. */
  readonly requests: number
  /** No new round begins after this time; each row has at least one. */
  readonly limitSeconds: number
  readonly main: string | undefined
  readonly also: ReadonlyArray<{ readonly host: string; readonly port: number }>
}

export interface Figures {
  readonly requestsPerSecond: Spread
  readonly cpuMicros: Spread | undefined
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
}

/** One test at one pipeline depth. */
export interface Row {
  readonly test: string
  readonly pipeline: number
  readonly rounds: number
  /** By server name: ours, redis, floor and those added. */
  readonly servers: Readonly<Record<string, Figures>>
  /** Ours by redis-server's, above 1 is faster. */
  readonly throughputRatio: Spread
  /** Ours by redis-server's, below 1 is cheaper. */
  readonly cpuRatio: Spread
}

const requestsAt = (plan: Plan, pipeline: number): number =>
  Math.ceil(plan.requests * (pipeline === 1 ? 1 : pipeline < 50 ? 4 : 8))

const summary = (runs: ReadonlyArray<Measured>): Figures => {
  const cpu = runs.flatMap((run) => (run.cpuMicros === undefined ? [] : [run.cpuMicros]))
  return {
    requestsPerSecond: spread(runs.map((run) => run.requestsPerSecond)),
    cpuMicros: cpu.length === 0 ? undefined : spread(cpu),
    p50Ms: median(runs.map((run) => run.p50Ms)),
    p99Ms: median(runs.map((run) => run.p99Ms)),
    p999Ms: median(runs.map((run) => run.p999Ms)),
  }
}

const ratios = (
  ours: ReadonlyArray<Measured>,
  redis: ReadonlyArray<Measured>,
  figure: (run: Measured) => number,
): Spread => spread(ours.map((run, i) => figure(run) / figure(redis[i]!)))

const measureRow = async (
  servers: ReadonlyArray<Server>,
  test: LoadTest,
  shape: Shape,
  rounds: number,
  mayGoOn: () => boolean,
): Promise<Row> => {
  const runs = new Map<Server, Array<Measured>>(servers.map((server) => [server, []]))
  const run = async (server: Server, requests: number): Promise<Measured> => {
    if (test.fresh === true && server.name !== "floor") await prepare(server, test, { ...shape, requests })
    return measure(server, test, { ...shape, requests })
  }
  for (const server of servers) {
    if (server.name !== "floor") await prepare(server, test, shape)
    await run(server, Math.ceil(shape.requests / 3))
  }
  for (let round = 0; round < rounds && (round === 0 || mayGoOn()); round++) {
    for (const server of round % 2 === 0 ? servers : [...servers].reverse()) {
      runs.get(server)!.push(await run(server, shape.requests))
    }
  }
  const [ours, redis] = [runs.get(servers[0]!)!, runs.get(servers[1]!)!]
  return {
    test: test.name,
    pipeline: shape.pipeline,
    rounds: ours.length,
    servers: Object.fromEntries([...runs].map(([server, measured]) => [server.name, summary(measured)])),
    throughputRatio: ratios(ours, redis, (measured) => measured.requestsPerSecond),
    cpuRatio: ratios(ours, redis, (measured) => measured.cpuMicros ?? Number.NaN),
  }
}

/** Measures every test at every depth; `report` hears of each row as it is done. */
export const measureSpeed = async (plan: Plan, report: (row: Row) => void): Promise<ReadonlyArray<Row>> => {
  const began = performance.now()
  const elapsedSeconds = (): number => (performance.now() - began) / 1000
  const ours = await startOurs(plan.main)
  const redis = await startRedis()
  const floor = await startFloor()
  const others = plan.also.map(({ host, port }): Server => ({
    name: `${host}:${port}`,
    host,
    port,
    process: undefined,
  }))
  for (const server of [ours, ...others])
    await proveAgreement(redis, server, plan.tests, Math.min(plan.sizeBytes, 4096))

  const rows: Array<Row> = []
  const rowCount = plan.tests.length * plan.pipelines.length
  for (const pipeline of plan.pipelines) {
    for (const test of plan.tests) {
      const shape: Shape = { ...plan, pipeline, requests: requestsAt(plan, pipeline) }
      const rowEnds = (plan.limitSeconds * (rows.length + 1)) / rowCount
      const row = await measureRow(
        [ours, redis, floor, ...others],
        test,
        shape,
        plan.rounds,
        () => elapsedSeconds() < rowEnds,
      )
      rows.push(row)
      report(row)
    }
  }
  await Promise.all([ours, redis, floor].map((server) => server.process.stop()))
  return rows
}
