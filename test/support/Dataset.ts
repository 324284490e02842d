/**
 * A data set with every type in every encoding, as requests, and a full reading of whatever a server holds, to compare two servers that
 * should hold the same.
 */
import { deepStrictEqual } from "node:assert"
import type { Reply } from "../../src/codec/Reply.ts"
import { withoutAdditions } from "./Additions.ts"
import type { TestClient } from "./TestServer.ts"

const range = (count: number) => Array.from({ length: count }, (_, index) => index)

/** Bytes that are no text. */
const binary = String.fromCharCode(...range(256))
const long = "The quick brown fox jumps over the lazy dog. ".repeat(20)
/** 2100-01-01: far enough to be there in any test. */
const later = "4102444800000"

/** Bytes that hardly compress. */
const noise = (length: number): string => {
  let state = 1
  return range(length)
    .map(() => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return String.fromCharCode(state >>> 24)
    })
    .join("")
}

const strings: ReadonlyArray<ReadonlyArray<string>> = [
  ["SET", "string:empty", ""],
  ["SET", "string:text", "hello"],
  ["SET", "string:binary", binary],
  ["SET", binary, "a key of every byte"],
  ["SET", "string:long", long],
  [
    "SET",
    "string:noise",
    range(500)
      .map((n) => String.fromCharCode((n * n * 31 + n * 7) % 251))
      .join(""),
  ],
  ...[
    "0",
    "-1",
    "127",
    "128",
    "32767",
    "-32769",
    "2147483647",
    "-2147483649",
    "9007199254740993",
    "9223372036854775807",
    "012",
  ].map((digits) => ["SET", `string:${digits}`, digits]),
  ["SET", "string:deadline", "v", "PXAT", later],
  ["APPEND", "string:appended", long],
  ["SETBIT", "string:bits", "1000", "1"],
  ["PFADD", "string:hyperloglog", ...range(100).map((n) => `e${n}`)],
]

const elements = [
  "",
  "a",
  "0",
  "127",
  "128",
  "-1",
  "4095",
  "-4096",
  "32767",
  "8388607",
  "-2147483648",
  "9223372036854775807",
  "9223372036854775808",
  "0.5",
  binary,
  "x".repeat(64),
  "y".repeat(4096),
]

const collections: ReadonlyArray<ReadonlyArray<string>> = [
  ["RPUSH", "list:small", ...elements],
  ...range(20).map((n) => ["RPUSH", "list:long", ...range(100).map((m) => `element ${n * 100 + m}`)]),
  ["RPUSH", "list:large", "a", "b".repeat(9000), "c", "d".repeat(20000)],
  ["SADD", "set:int16", "1", "-2", "300"],
  ["SADD", "set:int32", "1", "-70000", "300"],
  ["SADD", "set:int64", "1", "9223372036854775807", "-9223372036854775808"],
  ["SADD", "set:manyIntegers", ...range(600).map(String)],
  ["SADD", "set:text", ...elements],
  ["HSET", "hash:small", ...elements.slice(0, 14).flatMap((element, index) => [`field${index}`, element])],
  ["HSET", "hash:longValue", "f", "v".repeat(65), "g", long],
  ...range(6).map((n) => ["HSET", "hash:many", ...range(100).flatMap((m) => [`field${n * 100 + m}`, String(m)])]),
  ["ZADD", "zset:small", "1", "a", "0.1", "b", "-inf", "c", "+inf", "d", "1e20", "e", "-3.5", "f", "1.1", "12"],
  ["ZADD", "zset:many", ...range(200).flatMap((n) => [String(n * 1.1 - 100), `member${n}`])],
  ["ZADD", "zset:longMember", "1", "m".repeat(65), "2", "n"],
  ["EXPIREAT", "zset:many", "4102444800"],
]

const streams: ReadonlyArray<ReadonlyArray<string>> = [
  ...range(250).map((n) => [
    "XADD",
    "stream:many",
    `${1000 + n}-${n % 3}`,
    "f",
    `v${n}`,
    ...(n % 10 === 9 ? ["g", "2"] : []),
  ]),
  ["XDEL", "stream:many", "1003-0", "1249-0", "1000-0"],
  ["XADD", "stream:last", "18446744073709551615-5", "field", "value"],
  ["XADD", "stream:empty", "5-5", "f", "v"],
  ["XDEL", "stream:empty", "5-5"],
  ["XGROUP", "CREATE", "stream:many", "group", "0"],
  ["XGROUP", "CREATE", "stream:many", "at", "1005-2", "ENTRIESREAD", "5"],
  ["XGROUP", "CREATECONSUMER", "stream:many", "group", "idle"],
  ["XREADGROUP", "GROUP", "group", "alice", "COUNT", "3", "STREAMS", "stream:many", ">"],
  ["XREADGROUP", "GROUP", "group", "bob", "COUNT", "4", "STREAMS", "stream:many", ">"],
  ["XACK", "stream:many", "group", "1001-1"],
]

const otherDatabases: ReadonlyArray<ReadonlyArray<string>> = [
  ["SELECT", "3"],
  ["SET", "elsewhere", "3"],
  ["SELECT", "15"],
  ["RPUSH", "list", "1", "two"],
  ["SELECT", "0"],
]

export const dataset: ReadonlyArray<ReadonlyArray<string>> = [...strings, ...collections, ...streams, ...otherDatabases]

/** Collections and strings that are written in pieces; the members of sets, hashes and sorted sets are records outside the heap. */
export const largeDataset: ReadonlyArray<ReadonlyArray<string>> = [
  ...range(30).flatMap((n) => {
    const hundred = range(100).map((m) => n * 100 + m)
    return [
      ["SADD", "large:set", ...hundred.map((m) => `member ${m * 7919}`)],
      ["HSET", "large:hash", ...hundred.flatMap((m) => [`field ${m}`, m % 50 === 0 ? long : String(m)])],
      ["ZADD", "large:zset", ...hundred.flatMap((m) => [String((m * 7919) % 1000), `member ${m}`])],
      ["RPUSH", "large:list", ...hundred.map((m) => `item ${m}`)],
    ]
  }),
  ...range(1500).map((n) => ["XADD", "large:stream", `${n + 1}-1`, "f", `value ${n}`]),
  ["XTRIM", "large:stream", "MAXLEN", "1480"],
  ["XDEL", "large:stream", "700-1", "1500-1"],
  ["XGROUP", "CREATE", "large:stream", "group", "0"],
  ["XREADGROUP", "GROUP", "group", "alice", "COUNT", "800", "STREAMS", "large:stream", ">"],
  ["XREADGROUP", "GROUP", "group", "bob", "COUNT", "400", "STREAMS", "large:stream", ">"],
  ["XGROUP", "CREATECONSUMER", "large:stream", "group", "idle"],
  ["XCLAIM", "large:stream", "group", "bob", "0", "30-1", "TIME", "1700000000000", "RETRYCOUNT", "7"],
  ["XACK", "large:stream", "group", "31-1", "900-1"],
  ["SET", "large:string", long.repeat(300)],
  ["SET", "large:noise", noise(150_000)],
  ["SETBIT", "large:bits", "4000000", "1"],
  ["APPEND", "large:bits", noise(70_000)],
  ["SELECT", "2"],
  ["SADD", "large:set", ...range(2000).map((n) => `other ${n}`)],
  ["PEXPIREAT", "large:set", later],
  ["SELECT", "0"],
]

/** What Redis 7.0 cannot hold: deadlines of fields, of a small hash and of a large one. */
export const fieldDeadlines: ReadonlyArray<ReadonlyArray<string>> = [
  ["HSET", "fields:few", "a", "1", "b", "2", "c", "3"],
  ["HPEXPIREAT", "fields:few", later, "FIELDS", "2", "a", "c"],
  ["HSET", "fields:many", ...range(600).flatMap((n) => [`f${n}`, `v${n}`])],
  ["HPEXPIREAT", "fields:many", later, "FIELDS", "200", ...range(200).map((n) => `f${n * 3}`)],
  ["HPEXPIREAT", "fields:many", String(Number(later) + 1), "FIELDS", "1", "f1"],
]

export const fill = async (
  client: TestClient,
  requests: ReadonlyArray<ReadonlyArray<string>> = dataset,
): Promise<void> => {
  for (const request of requests) {
    const reply = await client.run(...request)
    if (reply._tag === "Failure") throw new Error(`${request.slice(0, 2).join(" ")}: ${reply.code} ${reply.message}`)
  }
}

/** A reply as text. */
export const text = (reply: Reply): string =>
  reply._tag === "Bulk" || reply._tag === "Simple" || reply._tag === "Int"
    ? String(reply.value)
    : JSON.stringify(reply, bigints)

const bigints = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value)

const items = (reply: Reply): ReadonlyArray<string> => {
  if (reply._tag === "Array") return reply.values.map(text)
  throw new Error(`expected an array, got ${text(reply)}`)
}

const pairs = (values: ReadonlyArray<string>): ReadonlyArray<string> =>
  values.flatMap((value, index) => (index % 2 === 0 ? [`${value} = ${values[index + 1]}`] : []))

/** The number of nodes of the radix tree and times since consumers were seen are not data. */
const withoutInternals = (info: string): string =>
  info
    .replace(/\{"_tag":"Bulk","value":"radix-tree-nodes"\},\{"_tag":"Int","value":\d+\}/g, "")
    .replace(/\{"_tag":"Bulk","value":"seen-time"\},\{"_tag":"Int","value":-?\d+\}/g, "")
    .replace(/\{"_tag":"Int","value":1[67]\d{11}\}/g, "time")

const readValue = async (client: TestClient, key: string, type: string): Promise<string> => {
  switch (type) {
    case "string":
      return text(await client.run("GET", key))
    case "list":
      return items(await client.run("LRANGE", key, "0", "-1")).join("\n")
    case "set":
      return [...items(await client.run("SMEMBERS", key))].sort().join("\n")
    case "hash":
      return [...pairs(items(await client.run("HGETALL", key)))].sort().join("\n")
    case "zset":
      return items(await client.run("ZRANGE", key, "0", "-1", "WITHSCORES")).join("\n")
    case "stream":
      return withoutInternals(
        JSON.stringify(withoutAdditions(await client.run("XINFO", "STREAM", key, "FULL", "COUNT", "0")), bigints),
      )
    default:
      return type
  }
}

/** Everything in all 16 databases: by key its type, encoding, deadline and value. */
export const readAll = async (client: TestClient): Promise<ReadonlyMap<string, string>> => {
  const found = new Map<string, string>()
  for (let db = 0; db < 16; db++) {
    await client.run("SELECT", String(db))
    for (const key of [...items(await client.run("KEYS", "*"))].sort()) {
      const type = text(await client.run("TYPE", key))
      const encoding = text(await client.run("OBJECT", "ENCODING", key))
      const deadline = text(await client.run("PEXPIRETIME", key))
      found.set(`${db} ${key}`, `${type} ${encoding} ${deadline}\n${await readValue(client, key, type)}`)
    }
  }
  await client.run("SELECT", "0")
  return found
}

/** That two servers hold the same; names what differs without printing all of it. */
export const expectSame = (found: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): void => {
  deepStrictEqual([...found.keys()].sort(), [...wanted.keys()].sort())
  for (const [key, value] of wanted) {
    const other = found.get(key)!
    if (other === value) continue
    let at = 0
    while (other[at] === value[at]) at++
    const from = Math.max(0, at - 60)
    deepStrictEqual({ key, at, value: other.slice(from, at + 60) }, { key, at, value: value.slice(from, at + 60) })
  }
}
