/**
 * What data costs in memory: a fresh server of each kind is filled with the same keys, and the growth of its resident memory
 * is divided by their number (or by the number of elements of one large collection). Beside it is what the server counts for
 * `maxmemory` (MEMORY STATS' dataset; redis-server: all it has allocated), which is to be within a tenth of the growth.
 * Growth is read after a collection (MEMORY PURGE asks for one), so that garbage of the filling is not taken for data. What the process
 * grows by when the same number of commands leaves no data (its young generation, compiled code) is printed at the end, and not
 * subtracted: a filling has to be large enough for it not to weigh.
 */
import { type Measurable, sleep, startOurs, startRedis, volatileSettings } from "./Children.ts"
import { type Argv, Client, fill, infoNumber } from "./Client.ts"
import { digits } from "./Load.ts"
import { table } from "./Report.ts"

interface Filling {
  readonly name: string
  /** The budget against redis-server. */
  readonly ratioMax: number
  /** How many times fewer keys or elements make up this filling, where each is large; below 1 how many times more, where each is small. */
  readonly weight?: number
  /** What is counted is the data, without the room that deletions have left between it. */
  readonly afterDeletions?: true
  /** How many commands make up the given number of keys or elements, and each of them. */
  readonly commands: (keys: number) => readonly [count: number, argv: (index: number) => Argv]
}

const elements = (index: number, count: number, element: (index: number) => ReadonlyArray<string>): Argv =>
  Array.from({ length: count }, (_, i) => element(index * count + i)).flat()

const member = (index: number): string => `member:${digits(index)}`

/** Keys of `size` elements each; the count is of elements, so that figures compare across sizes. */
const many = (
  name: string,
  command: string,
  size: number,
  element: (index: number) => ReadonlyArray<string>,
  weight = 1,
): Filling => ({
  name: `${name}, ${size} a key`,
  ratioMax: 2,
  weight,
  commands: (keys) => [
    Math.ceil(keys / size),
    (index) => [command, `key:${digits(index)}`, ...elements(index, size, element)],
  ],
})

const one = (name: string, command: string, element: (index: number) => ReadonlyArray<string>): Filling => ({
  name: `${name}, one key`,
  ratioMax: 2,
  commands: (keys) => [Math.ceil(keys / 100), (index) => [command, "key", ...elements(index, 100, element)]],
})

const field = (index: number): ReadonlyArray<string> => [member(index), `value:${digits(index)}`]
const scored = (index: number): ReadonlyArray<string> => [String(index), member(index)]

/** One of ten large sorted sets, after the others were deleted; `keyOf` says to which one a part of the members goes. */
const leftOfTen = (how: string, keyOf: (part: number, parts: number) => number): Filling => ({
  name: `sorted set, the last of ten ${how}`,
  ratioMax: 2,
  afterDeletions: true,
  commands: (keys) => {
    const parts = Math.ceil(keys / 10)
    const add = (index: number): Argv => ["ZADD", `key:${keyOf(index, parts)}`, ...elements(index, 100, scored)]
    return [parts + 9, (index) => (index < parts ? add(index) : ["DEL", `key:${index - parts}`])]
  },
})

const fillings: ReadonlyArray<Filling> = [
  {
    name: "strings of 16 + 32 bytes",
    ratioMax: 1.5,
    commands: (keys) => [keys, (index) => ["SET", `key:${digits(index)}`, digits(index).padStart(32, "v")]],
  },
  {
    name: "strings of 16 bytes + integer",
    ratioMax: 1.5,
    commands: (keys) => [keys, (index) => ["SET", `key:${digits(index)}`, String(index)]],
  },
  ...[1024, 16384].map((size): Filling => ({
    name: `strings of ${size / 1024} KiB`,
    ratioMax: 1.5,
    weight: size / 256,
    commands: (keys) => [keys, (index) => ["SET", `key:${digits(index)}`, digits(index).padStart(size, "v")]],
  })),
  // Memory that came free has to go back: the figure is to be near that of a fresh server with what is left (1.5 times at most).
  {
    name: "strings of 16 + 32 bytes, what is left of ten times as many",
    ratioMax: 1.5,
    afterDeletions: true,
    commands: (keys) => [
      10 * keys + 9 * keys,
      (index) => {
        if (index < 10 * keys) return ["SET", `key:${digits(index)}`, digits(index).padStart(32, "v")]
        const deleted = index - 10 * keys
        return ["DEL", `key:${digits(10 * Math.floor(deleted / 9) + (deleted % 9))}`]
      },
    ],
  },
  leftOfTen("filled one after the other", (part, parts) => Math.floor((part * 10) / parts)),
  leftOfTen("filled by turns", (part) => part % 10),
  {
    name: "strings with a deadline",
    ratioMax: 1.5,
    commands: (keys) => [
      keys,
      (index) => ["SET", `key:${digits(index)}`, digits(index).padStart(32, "v"), "EX", String(100_000 + index)],
    ],
  },
  many("hashes", "HSET", 10, field),
  many("hashes", "HSET", 200, field),
  one("hash", "HSET", field),
  many("lists", "RPUSH", 10, (index) => [member(index)]),
  many("lists", "RPUSH", 1000, (index) => [member(index)]),
  one("list", "RPUSH", (index) => [member(index)]),
  many("sets", "SADD", 10, (index) => [member(index)]),
  many("sets of integers", "SADD", 10, (index) => [String(index)]),
  many("sets of integers", "SADD", 400, (index) => [String(index)], 1 / 6),
  many("sets", "SADD", 200, (index) => [member(index)]),
  one("set", "SADD", (index) => [member(index)]),
  many("sorted sets", "ZADD", 10, scored),
  many("sorted sets", "ZADD", 200, scored),
  one("sorted set", "ZADD", scored),
  {
    name: "streams, 10 a key",
    ratioMax: 2,
    commands: (keys) => [
      keys,
      (index) => ["XADD", `key:${digits(Math.floor(index / 10))}`, `${index + 1}-1`, "field", digits(index)],
    ],
  },
  {
    name: "stream, one key",
    ratioMax: 2,
    commands: (keys) => [keys, (index) => ["XADD", "key", `${index + 1}-1`, "field", digits(index)]],
  },
]

interface Bytes {
  readonly resident: number
  readonly counted: number
}

/** The part of a filling that is filled in and flushed before the measurement begins. */
const warmUpPart = 0.1
const settleMs = 500
/** After deletions a server gets this long to give back what it does by itself, before they begin and when they are over. */
const quietMs = 15_000
/** How far what is counted may be from what it takes. */
const toleranceMax = 0.1

const look = async (server: Measurable, client: Client, { afterDeletions }: Filling): Promise<Bytes> => {
  // The second one finds what the first one has made free.
  for (let i = 0; i < 2; i++) {
    await client.call("MEMORY", "PURGE")
    await sleep(settleMs)
  }
  if (afterDeletions === true) await sleep(quietMs)
  const resident = server.process.residentBytes()
  if (server.name === "redis") {
    return { resident, counted: infoNumber(await client.call("INFO", "memory"), "used_memory") ?? Number.NaN }
  }
  const counted = /dataset\.bytes\r\n:(\d+)/.exec(await client.call("MEMORY", "STATS"))?.[1]
  return { resident, counted: Number(counted) }
}

/** As many commands as a filling of strings has, that leave next to no data. */
const noData: Filling = {
  name: "",
  ratioMax: 1,
  commands: (keys) => [keys, (index) => ["SET", "key", digits(index).padStart(32, "v")]],
}

const growth = async (server: Measurable, filling: Filling, keys: number): Promise<Bytes> => {
  const client = await Client.connect(server)
  const [count, argv] = filling.commands(keys)
  // What the process takes once to work at all (a young generation, compiled code, buffers: some 20 MB of ours) is no data.
  await fill(client, Math.ceil(count * warmUpPart), argv)
  await client.call("FLUSHALL")
  const before = await look(server, client, filling)
  await fill(client, count, argv)
  const after = await look(server, client, filling)
  client.close()
  await server.process.stop()
  return { resident: (after.resident - before.resident) / keys, counted: (after.counted - before.counted) / keys }
}

export const measureMemory = async (options: {
  readonly main: string | undefined
  readonly only: string | undefined
  readonly keys: number
  readonly keyspace: string | undefined
}): Promise<number> => {
  const settings = [...volatileSettings, ...(options.keyspace === undefined ? [] : ["--keyspace", options.keyspace])]
  const lines: Array<ReadonlyArray<string>> = []
  let over = 0
  for (const filling of fillings.filter(({ name }) => options.only === undefined || name.includes(options.only))) {
    const keys = Math.ceil(options.keys / (filling.weight ?? 1))
    const ours = await growth(await startOurs(options.main, settings), filling, keys)
    const redis = await growth(await startRedis(), filling, keys)
    const ratio = ours.resident / redis.resident
    const share = ours.counted / ours.resident
    const isOver = ratio > filling.ratioMax
    const isOff = filling.afterDeletions !== true && Math.abs(share - 1) > toleranceMax
    if (isOver || isOff) over++
    lines.push([
      filling.name,
      ...[ours.resident, redis.resident].map((bytes) => bytes.toFixed(1)),
      ratio.toFixed(2),
      `${filling.ratioMax}${isOver ? " OVER" : ""}`,
      ...[ours.counted, redis.counted].map((bytes) => bytes.toFixed(1)),
      `${share.toFixed(2)}${isOff ? " OFF" : ""}`,
    ])
    console.error(`${filling.name}: ${ratio.toFixed(2)}, counted ${share.toFixed(2)}`)
  }
  const head = ["bytes a key or element", "ours", "redis", "ratio", "budget", "counted", "redis", "of ours"]
  console.log(table(head, lines))
  const [own, theirs] = [
    await growth(await startOurs(options.main, settings), noData, options.keys),
    await growth(await startRedis(), noData, options.keys),
  ].map(({ resident }) => ((resident * options.keys) / 2 ** 20).toFixed(1))
  console.log(
    `The process itself grows by ${own} MiB (redis: ${theirs}) under so many commands, which is in the figures.`,
  )
  return over === 0 ? 0 : 1
}
