/**
 * How long other clients wait while a key of a million elements goes away, whichever way it goes: a client asks a thousand times
 * a second, a value is copied into place, and goes. The longest wait from when a question was due to its answer counts, collections
 * of garbage and the work of the deletion alike; what the collector had to do meanwhile (from `--trace-gc`) is printed beside it.
 * Of several rounds the least counts: a stall of the server's making comes each time, one of the machine's making does not.
 * Once more it goes while nobody asks, and the processor time of all of the server's threads is taken: no stall of its own making
 * is longer than that, however busy the machine is with something else. The smaller of the two is held against the budget.
 */
import { type Measurable, sleep, startOurs, startRedis, volatileSettings } from "./Children.ts"
import { type Argv, Client, fill } from "./Client.ts"
import { digits } from "./Load.ts"
import { table } from "./Report.ts"
import { collections } from "./Stall.ts"
import { percentile } from "./Statistics.ts"
import { startSteadyLoad } from "./SteadyLoad.ts"

const asksPerSecond = 1000
const budgetMs = 10
/** Long enough for what goes on in the background to show. */
const watchedMs = 500
const expiresInMs = 200

interface Kind {
  readonly name: string
  readonly command: ReadonlyArray<string>
  readonly element: (index: number) => ReadonlyArray<string>
  /** Elements a command when it is filled. */
  readonly chunk: number
  readonly finish?: (client: Client, elements: number) => Promise<void>
  readonly oursOnly?: boolean
}

const fields = (index: number): ReadonlyArray<string> => [digits(index), "v"]

const kinds: ReadonlyArray<Kind> = [
  { name: "list", command: ["RPUSH", "source"], element: (index) => [digits(index)], chunk: 100 },
  { name: "hash", command: ["HSET", "source"], element: fields, chunk: 100 },
  {
    name: "hash, deadlines",
    command: ["HSET", "source"],
    element: fields,
    chunk: 100,
    oursOnly: true,
    finish: (client, elements) =>
      fill(client, elements / 100, (part) => {
        const names = Array.from({ length: 100 }, (_, i) => digits(part * 100 + i))
        return ["HEXPIRE", "source", "100000", "FIELDS", "100", ...names]
      }),
  },
  { name: "set", command: ["SADD", "source"], element: (index) => [`m${digits(index)}`], chunk: 100 },
  { name: "set of integers", command: ["SADD", "source"], element: (index) => [String(index * 3)], chunk: 100 },
  { name: "sorted set", command: ["ZADD", "source"], element: (index) => [String(index), digits(index)], chunk: 100 },
  {
    name: "stream",
    command: ["XADD", "source", "*"],
    element: (index) => ["field", digits(index)],
    chunk: 1,
    finish: async (client, elements) => {
      await client.call("XGROUP", "CREATE", "source", "group", "0")
      const read = ["XREADGROUP", "GROUP", "group", "consumer", "COUNT", "1000", "STREAMS", "source", ">"]
      await fill(client, Math.min(elements / 1000, 100), () => read)
    },
  },
]

/** A way to go. */
interface Way {
  readonly name: string
  /** What is set up before it counts. */
  readonly before?: ReadonlyArray<Argv>
  readonly then: ReadonlyArray<Argv>
  /** What is put right again afterwards. */
  readonly after?: ReadonlyArray<Argv>
  /** The kinds of values that go this way; absent: all. */
  readonly of?: ReadonlyArray<string>
}

const ways: ReadonlyArray<Way> = [
  { name: "DEL", then: [["DEL", "big"]] },
  { name: "UNLINK", then: [["UNLINK", "big"]] },
  { name: "SET over it", then: [["SET", "big", "v"]] },
  { name: "RENAME onto it", before: [["SET", "small", "v"]], then: [["RENAME", "small", "big"]] },
  { name: "COPY onto it", before: [["SET", "small", "v"]], then: [["COPY", "small", "big", "REPLACE"]] },
  { name: "SUNIONSTORE over it", before: [["SADD", "few", "a", "b"]], then: [["SUNIONSTORE", "big", "few"]] },
  { name: "SUNIONSTORE of nothing", then: [["SUNIONSTORE", "big", "none"]] },
  { name: "expiry", then: [["PEXPIRE", "big", String(expiresInMs)]] },
  {
    name: "eviction",
    // The original has no deadline, so that only the copy goes.
    before: [
      ["PEXPIRE", "big", "100000000"],
      ["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"],
    ],
    then: [["CONFIG", "SET", "maxmemory", "1"], ["PING"]],
    after: [
      ["CONFIG", "SET", "maxmemory", "0"],
      ["CONFIG", "SET", "maxmemory-policy", "noeviction"],
    ],
  },
  { name: "FLUSHDB", then: [["FLUSHDB"]] },
  { name: "FLUSHDB ASYNC", then: [["FLUSHDB", "ASYNC"]] },
  { name: "LTRIM", then: [["LTRIM", "big", "1", "0"]], of: ["list"] },
  { name: "ZREMRANGEBYRANK", then: [["ZREMRANGEBYRANK", "big", "0", "-1"]], of: ["sorted set"] },
  { name: "ZREMRANGEBYSCORE", then: [["ZREMRANGEBYSCORE", "big", "-inf", "inf"]], of: ["sorted set"] },
  { name: "XTRIM", then: [["XTRIM", "big", "MAXLEN", "0"]], of: ["stream"] },
  { name: "XGROUP DESTROY", then: [["XGROUP", "DESTROY", "big", "group"]], of: ["stream"] },
  { name: "FLUSHALL", then: [["FLUSHALL"]] },
]

const goesBy = (kind: Kind): ReadonlyArray<Way> => ways.filter(({ of }) => of === undefined || of.includes(kind.name))

/** The longest wait, the longest collection while it was watched, and the processor time when nobody watched. */
interface Waited {
  readonly longestMs: number
  readonly collectedMs: number
  readonly spentMs: number
}

const callAll = async (client: Client, requests: ReadonlyArray<Argv> = []): Promise<void> => {
  for (const reply of await client.send(requests)) if (reply.startsWith("-")) throw new Error(reply.trim())
}

const go = async (client: Client, { then }: Way): Promise<void> => {
  await callAll(client, then)
  await sleep(watchedMs)
}

const goesAlone = async (server: Measurable, client: Client, way: Way): Promise<number> => {
  await callAll(client, way.before)
  await sleep(200)
  const before = server.process.cpuSeconds()
  await go(client, way)
  const spentMs = (server.process.cpuSeconds() - before) * 1000
  await callAll(client, way.after)
  return spentMs
}

const goes = async (server: Measurable, client: Client, way: Way): Promise<Omit<Waited, "spentMs">> => {
  await callAll(client, way.before)
  // What building the value left behind is collected before.
  await sleep(200)
  const load = await startSteadyLoad(server, asksPerSecond, () => ["PING"])
  await sleep(100)
  load.take()
  const seen = server.process.output().length
  await go(client, way)
  const waits = load.take()
  await load.stop()
  await callAll(client, way.after)
  const collected = collections(server.process.output().slice(seen)).map(([, ms]) => ms)
  return { longestMs: percentile(waits, 1), collectedMs: Math.max(0, ...collected) }
}

/** So often a way that took too long is looked at again. */
const secondLooks = 2

const isOver = ({ longestMs, spentMs }: Waited): boolean => Math.min(longestMs, spentMs) > budgetMs

const make = async (owner: Client, kind: Kind, elements: number): Promise<void> => {
  await fill(owner, Math.ceil(elements / kind.chunk), (part) => [
    ...kind.command,
    ...Array.from({ length: kind.chunk }, (_, i) => kind.element(part * kind.chunk + i)).flat(),
  ])
  await kind.finish?.(owner, elements)
}

const measure = async (
  server: Measurable,
  { elements, rounds }: { readonly elements: number; readonly rounds: number },
  wanted: ReadonlyArray<Kind>,
): Promise<ReadonlyMap<string, ReadonlyArray<Waited>>> => {
  // The original is in a database of its own.
  const client = await Client.connect(server)
  const owner = await Client.connect(server)
  await owner.call("SELECT", "1")
  const waits = new Map<string, ReadonlyArray<Waited>>()
  for (const kind of wanted) {
    await owner.call("FLUSHALL")
    await make(owner, kind, elements)
    const row: Array<Waited> = []
    for (const way of goesBy(kind)) {
      const copy = async () => {
        if ((await owner.call("EXISTS", "source")) === ":0\r\n") await make(owner, kind, elements)
        await callAll(owner, [["COPY", "source", "big", "DB", "0", "REPLACE"]])
      }
      let least: Waited | undefined
      const look = async () => {
        await copy()
        const spentMs = await goesAlone(server, client, way)
        for (let round = 0; round < rounds; round++) {
          await copy()
          const waited = { ...(await goes(server, client, way)), spentMs: Math.min(spentMs, least?.spentMs ?? spentMs) }
          least =
            least === undefined || waited.longestMs < least.longestMs ? waited : { ...least, spentMs: waited.spentMs }
        }
      }
      await look()
      // What the machine did meanwhile does not come again.
      for (let i = 0; i < secondLooks && server.name === "ours" && isOver(least!); i++) await look()
      row.push(least!)
    }
    waits.set(kind.name, row)
    console.error(`${server.name}: ${kind.name} done`)
  }
  client.close()
  owner.close()
  return waits
}

export const measureDeletion = async (options: {
  readonly main: string | undefined
  readonly only: string | undefined
  readonly elements: number
  readonly rounds: number
}): Promise<number> => {
  const wanted = kinds.filter(({ name }) => options.only === undefined || name.includes(options.only))
  const ours = await startOurs(options.main, volatileSettings, { nodeFlags: ["--trace-gc"] })
  const mine = await measure(ours, options, wanted)
  await ours.process.stop()
  const redis = await startRedis()
  const theirs = await measure(
    redis,
    options,
    wanted.filter(({ oursOnly }) => oursOnly !== true),
  )
  await redis.process.stop()
  const lines = wanted.flatMap((kind) =>
    goesBy(kind).map((way, i) => {
      const { name } = kind
      const waited = mine.get(name)![i]!
      const { longestMs, collectedMs, spentMs } = waited
      const reference = theirs.get(name)?.[i]?.longestMs.toFixed(1) ?? "-"
      const figures = [longestMs, collectedMs, spentMs].map((ms) => ms.toFixed(1))
      return [name, way.name, ...figures, reference, isOver(waited) ? "OVER" : "ok"]
    }),
  )
  console.log(
    table(
      [`${options.elements} elements`, "goes by", "longest wait, ms", "collector", "own CPU", "wait, redis", ""],
      lines,
    ),
  )
  const over = lines.filter((line) => line.at(-1) !== "ok").length
  console.log(`${lines.length - over} of ${lines.length} within ${budgetMs} ms`)
  return over === 0 ? 0 : 1
}
