/**
 * `eviction`: what the policies keep. Both servers get a limit that a third of the keys fit into, and the same skewed load: a key that is
 * read and missing is written, as a cache is used. Measured is the part of reads that found their key, in the second half of the
 * load, and how many keys there were at its end; hit rates are to be within a few points of redis-server's.
 *
 * What is fair: the limit is set by what each server itself counts for the same keys, so both have room for about as many. The load is
 * spread over some seconds, since LRU tells uses apart by the second.
 */
import { type Measurable, sleep, startOurs, startRedis } from "./Children.ts"
import { type Argv, Client, fill, infoNumber } from "./Client.ts"
import { digits } from "./Load.ts"
import { table } from "./Report.ts"

const policies = [
  ...["allkeys-lru", "allkeys-lfu", "allkeys-random"],
  ...["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "noeviction"],
]
const keys = 30_000
/** The part of the keys that fits. */
const fitting = 1 / 3
const batches = 600
const batchLength = 250
const pauseMs = 8
/** Percentage points by which a hit rate may be below redis-server's. */
const pointsMax = 3

/** A fixed sequence of numbers from 0 to 1, the same for every server and policy. */
const makeRandom = (seed: number) => {
  let state = seed
  return (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Draws key 0 most often, and key n with a likelihood in proportion to 1 / (n + 1). */
const makeZipf = (random: () => number) => {
  const sums = new Float64Array(keys)
  let sum = 0
  for (let i = 0; i < keys; i++) sums[i] = sum += 1 / (i + 1)
  return (): number => {
    const wanted = random() * sum
    let low = 0
    let high = keys - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}

const name = (index: number): string => `key:${digits(index)}`
const value = "v".repeat(64)

const countedBytes = async (server: Measurable, client: Client): Promise<number> => {
  if (server.name === "redis") return infoNumber(await client.call("INFO", "memory"), "used_memory")!
  return Number(/dataset\.bytes\r\n:(\d+)/.exec(await client.call("MEMORY", "STATS"))?.[1])
}

interface Outcome {
  readonly hits: number
  readonly kept: number
  readonly refused: number
}

const load = async (client: Client, isVolatile: boolean): Promise<Outcome> => {
  const random = makeRandom(1)
  const zipf = makeZipf(random)
  let [hits, reads, refused] = [0, 0, 0]
  for (let batch = 0; batch < batches; batch++) {
    const drawn = Array.from({ length: batchLength }, zipf)
    const replies = await client.send(drawn.map((index) => ["GET", name(index)]))
    const missing = [...new Set(drawn.filter((_, i) => replies[i]!.startsWith("$-1")))]
    if (batch >= batches / 2) {
      reads += drawn.length
      hits += drawn.length - replies.filter((reply) => reply.startsWith("$-1")).length
    }
    const writes = missing.map((index): Argv => {
      const set = ["SET", name(index), value]
      return isVolatile ? [...set, "EX", String(1000 + Math.floor(random() * 100_000))] : set
    })
    for (const reply of await client.send(writes)) if (reply.startsWith("-OOM")) refused++
    await sleep(pauseMs)
  }
  const kept = Number((await client.call("DBSIZE")).slice(1))
  return { hits: (100 * hits) / reads, kept, refused }
}

const measure = async (server: Measurable, client: Client, policy: string): Promise<Outcome> => {
  const isVolatile = policy.startsWith("volatile")
  await client.call("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", policy)
  await client.call("FLUSHALL")
  const before = await countedBytes(server, client)
  await fill(client, keys, (index) => ["SET", name(index), value, ...(isVolatile ? ["EX", "100000"] : [])])
  const each = (await countedBytes(server, client)) - before
  await client.call("FLUSHALL")
  const limit = Math.round((await countedBytes(server, client)) + each * fitting)
  await client.call("CONFIG", "SET", "maxmemory", String(limit))
  return load(client, isVolatile)
}

export const measureEviction = async (options: {
  readonly main: string | undefined
  readonly only: string | undefined
}): Promise<number> => {
  const lines: Array<ReadonlyArray<string>> = []
  let behind = 0
  const servers = [await startOurs(options.main), await startRedis()]
  const clients = await Promise.all(servers.map((server) => Client.connect(server)))
  for (const policy of policies.filter((one) => options.only === undefined || one.includes(options.only))) {
    const outcomes = await Promise.all(servers.map((server, i) => measure(server, clients[i]!, policy)))
    const [ours, redis] = outcomes
    const isBehind = ours!.hits < redis!.hits - pointsMax
    if (isBehind) behind++
    lines.push([
      policy,
      ...outcomes.map(({ hits }) => hits.toFixed(1)),
      `${(ours!.hits - redis!.hits).toFixed(1)}${isBehind ? " BEHIND" : ""}`,
      ...outcomes.map(({ kept }) => String(kept)),
      ...outcomes.map(({ refused }) => String(refused)),
    ])
    console.error(`${policy}: ${ours!.hits.toFixed(1)} ${redis!.hits.toFixed(1)}`)
  }
  for (const client of clients) client.close()
  for (const server of servers) await server.process.stop()
  console.log(
    table(["% of reads that hit", "ours", "redis", "points", "keys ours", "redis", "OOM ours", "redis"], lines),
  )
  return behind === 0 ? 0 : 1
}
