/**
 * What data costs in memory: a fresh server of each kind is filled with the same keys, and the growth of its resident memory
 * is divided by their number (or by the number of elements of one large collection). The heap figure beside it is what the
 * server itself reports as used. Growth is read after the server has been idle for a while and asked to give back what it
 * can, so that garbage of the filling is not counted as data.
 */
import { type Measurable, sleep, startOurs, startRedis } from "./Children.ts"
import { type Argv, Client, fill, infoNumber } from "./Client.ts"
import { digits } from "./Load.ts"
import { table } from "./Report.ts"

interface Filling {
  readonly name: string
  /** The budget against redis-server. */
  readonly ratioMax: number
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
): Filling => ({
  name: `${name}, ${size} a key`,
  ratioMax: 2,
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
  {
    name: "strings with a deadline",
    ratioMax: 1.5,
    commands: (keys) => [
      keys,
      (index) => ["SET", `key:${digits(index)}`, digits(index).padStart(32, "v"), "EX", String(100_000 + index)],
    ],
  },
  many("hashes", "HSET", 10, field),
  one("hash", "HSET", field),
  many("lists", "RPUSH", 10, (index) => [member(index)]),
  one("list", "RPUSH", (index) => [member(index)]),
  many("sets", "SADD", 10, (index) => [member(index)]),
  many("sets of integers", "SADD", 10, (index) => [String(index)]),
  one("set", "SADD", (index) => [member(index)]),
  many("sorted sets", "ZADD", 10, scored),
  one("sorted set", "ZADD", scored),
  {
    name: "stream, one key",
    ratioMax: 2,
    commands: (keys) => [keys, (index) => ["XADD", "key", `${index + 1}-1`, "field", digits(index)]],
  },
]

interface Bytes {
  readonly resident: number
  readonly used: number
}

const settleMs = 1500

const look = async (server: Measurable, client: Client): Promise<Bytes> => {
  await client.call("MEMORY", "PURGE")
  await sleep(settleMs)
  const used = infoNumber(await client.call("INFO", "memory"), "used_memory") ?? Number.NaN
  return { resident: server.process.residentBytes(), used }
}

const growth = async (server: Measurable, filling: Filling, keys: number): Promise<Bytes> => {
  const client = await Client.connect(server)
  const before = await look(server, client)
  const [count, argv] = filling.commands(keys)
  await fill(client, count, argv)
  const after = await look(server, client)
  client.close()
  await server.process.stop()
  return { resident: (after.resident - before.resident) / keys, used: (after.used - before.used) / keys }
}

export const measureMemory = async (options: {
  readonly main: string | undefined
  readonly only: string | undefined
  readonly keys: number
}): Promise<number> => {
  const lines: Array<ReadonlyArray<string>> = []
  let over = 0
  for (const filling of fillings.filter(({ name }) => options.only === undefined || name.includes(options.only))) {
    const ours = await growth(await startOurs(options.main), filling, options.keys)
    const redis = await growth(await startRedis(), filling, options.keys)
    const ratio = ours.resident / redis.resident
    if (ratio > filling.ratioMax) over++
    lines.push([
      filling.name,
      ...[ours.resident, redis.resident].map((bytes) => bytes.toFixed(1)),
      ratio.toFixed(2),
      `${filling.ratioMax}${ratio > filling.ratioMax ? " OVER" : ""}`,
      ...[ours.used, redis.used].map((bytes) => bytes.toFixed(1)),
    ])
    console.error(`${filling.name}: ${ratio.toFixed(2)}`)
  }
  const head = ["bytes a key or element", "resident ours", "redis", "ratio", "budget", "used ours", "redis"]
  console.log(table(head, lines))
  return over === 0 ? 0 : 1
}
