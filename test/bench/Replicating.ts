/**
 * `replication`: what a replica costs its master, what a master's stream costs a replica, and how long a replica takes to have all.
 *
 * As masters, ours and redis-server have a redis-server as replica, on the clients' processor; SET is timed without it and with it, by
 * turns, and so is a SET that waits until the replica has it (WAIT). As replicas both follow the same redis-server at the same time, so
 * that they get the same stream. All is measured as CPU time of the server in question, but for what a client waits.
 */
import { type Measurable, onProcessor, sleep, start, startOurs, startRedis, volatileSettings } from "./Children.ts"
import { Client, fill } from "./Client.ts"
import { digits, measure, prepare, testsNamed } from "./Load.ts"
import { table } from "./Report.ts"
import { median, percentile, spread } from "./Statistics.ts"

const [set] = testsNamed(["set"])
const waits = 1000
const linkLimitMs = 120_000

const startReplica = (master: Measurable): Promise<Measurable> =>
  start("replica", {
    command: (port, directory) =>
      onProcessor(1, [
        ...["redis-server", "--port", String(port), "--dir", directory, ...volatileSettings],
        ...["--replicaof", master.host, String(master.port)],
      ]),
  })

const withClient = async <A>(server: Measurable, body: (client: Client) => Promise<A>): Promise<A> => {
  const client = await Client.connect(server)
  try {
    return await body(client)
  } finally {
    client.close()
  }
}

const until = async (what: string, isSo: () => Promise<boolean>): Promise<void> => {
  const end = performance.now() + linkLimitMs
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${linkLimitMs / 1000} s`)
    await sleep(10)
  }
}

const replicationOf = (server: Measurable): Promise<string> =>
  withClient(server, (client) => client.call("INFO", "replication"))

const offsetOf = async (server: Measurable): Promise<number> => {
  const info = await replicationOf(server)
  return Number(/(?:slave_repl_offset|master_repl_offset):(\d+)/.exec(info)![1])
}

/** Ends when the replica has the whole stream, as long as nobody writes. */
const caughtUp = (master: Measurable, replica: Measurable): Promise<void> =>
  until("the replica has everything", async () => {
    const info = await replicationOf(replica)
    if (!info.includes("master_link_status:up")) return false
    return (await offsetOf(replica)) === (await offsetOf(master))
  })

interface Sizes {
  readonly keys: number
  readonly requests: number
  readonly rounds: number
}

/** Microseconds of CPU a SET costs the master. */
const loadOf = async (server: Measurable, pipeline: number, { keys, requests }: Sizes): Promise<number> => {
  const shape = { clients: 50, pipeline, requests, sizeBytes: 3, keys }
  return (await measure(server, set!, shape)).cpuMicros!
}

/** Milliseconds that SET and WAIT take together. */
const waitOf = (server: Measurable): Promise<ReadonlyArray<number>> =>
  withClient(server, async (client) => {
    const took: Array<number> = []
    for (let i = 0; i < waits; i++) {
      const began = performance.now()
      await client.call("SET", "waited", String(i))
      await client.call("WAIT", "1", "1000")
      took.push(performance.now() - began)
    }
    return took
  })

const asMasters = async (main: string | undefined, sizes: Sizes): Promise<void> => {
  const delay = ["--repl-diskless-sync-delay", "0"]
  const servers = [
    await startOurs(main, [...volatileSettings, ...delay]),
    await startRedis([...volatileSettings, ...delay]),
  ]
  const depths = [1, 16] as const
  const cpu = servers.map(() => depths.map(() => ({ alone: [] as Array<number>, followed: [] as Array<number> })))
  const latencies: Array<ReadonlyArray<number>> = [[], []]
  for (let round = 0; round < sizes.rounds; round++) {
    for (const [i, server] of servers.entries()) {
      await prepare(server, set!, {
        clients: 50,
        pipeline: 1,
        requests: sizes.requests,
        sizeBytes: 3,
        keys: sizes.keys,
      })
      for (const [j, depth] of depths.entries()) cpu[i]![j]!.alone.push(await loadOf(server, depth, sizes))
      const replica = await startReplica(server)
      await caughtUp(server, replica)
      for (const [j, depth] of depths.entries()) cpu[i]![j]!.followed.push(await loadOf(server, depth, sizes))
      await caughtUp(server, replica)
      latencies[i] = await waitOf(server)
      await replica.process.stop()
    }
  }
  const lines = depths.flatMap((depth, j) =>
    (["alone", "followed"] as const).map((kind) => {
      const [ours, redis] = [cpu[0]![j]![kind], cpu[1]![j]![kind]].map(median)
      const ratios = spread(cpu[0]![j]![kind].map((value, round) => value / cpu[1]![j]![kind][round]!))
      return [
        `SET, pipeline ${depth}, ${kind === "alone" ? "no replica" : "a replica"}`,
        ...[ours!.toFixed(2), redis!.toFixed(2), ratios.median.toFixed(2)],
        `${ratios.least.toFixed(2)}-${ratios.most.toFixed(2)}`,
      ]
    }),
  )
  console.log(table(["CPU us a command of the master", "ours", "redis", "ratio", "spread"], lines))
  const wait = (fraction: number) => latencies.map((took) => percentile(took, fraction).toFixed(2))
  console.log(
    `\n${table(
      ["SET and WAIT 1, ms", "ours", "redis"],
      [
        ["p50", ...wait(0.5)],
        ["p99", ...wait(0.99)],
      ],
    )}\n`,
  )
  for (const server of servers) await server.process.stop()
}

const asReplicas = async (main: string | undefined, sizes: Sizes): Promise<void> => {
  const master = await startRedis([...volatileSettings, "--repl-diskless-sync-delay", "0"])
  await withClient(master, (client) =>
    fill(client, sizes.keys, (index) => ["SET", `key:${digits(index)}`, "x".repeat(32)]),
  )
  const results: Array<{ syncSeconds: number }> = []
  const replicas: Array<Measurable> = []
  for (const begin of [() => startOurs(main), () => startRedis()]) {
    const replica = await begin()
    const before = replica.process.cpuSeconds()
    await withClient(replica, (client) => client.call("REPLICAOF", master.host, String(master.port)))
    await caughtUp(master, replica)
    results.push({ syncSeconds: replica.process.cpuSeconds() - before })
    replicas.push(replica)
  }
  const perCommand: Array<Array<number>> = [[], []]
  for (let round = 0; round < sizes.rounds; round++) {
    const before = replicas.map(({ process }) => process.cpuSeconds())
    await loadOf(master, 16, sizes)
    for (const replica of replicas) await caughtUp(master, replica)
    for (const [i, { process }] of replicas.entries()) {
      perCommand[i]!.push(((process.cpuSeconds() - before[i]!) * 1e6) / sizes.requests)
    }
  }
  const ratio = (of: (i: number) => number) => [of(0).toFixed(2), of(1).toFixed(2), (of(0) / of(1)).toFixed(2)]
  console.log(
    table(
      ["as a replica", "ours", "redis", "ratio"],
      [
        [`CPU s until all ${sizes.keys} keys are there`, ...ratio((i) => results[i]!.syncSeconds)],
        ["CPU us a SET of the stream", ...ratio((i) => median(perCommand[i]!))],
      ],
    ),
  )
  for (const server of [...replicas, master]) await server.process.stop()
}

export const measureReplication = async (options: Sizes & { readonly main: string | undefined }): Promise<number> => {
  await asMasters(options.main, options)
  await asReplicas(options.main, options)
  return 0
}
