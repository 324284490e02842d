/**
 * The commands whose growth is measured, by the type they work on: how to fill a value of n elements, and one round of each
 * command on it. `commands(i, n)` gives the i-th round; a round that adds also takes away, so that n stays n. What a command
 * costs "at the documented place" is meant: LINDEX at the ends is O(1), in the middle O(N).
 */
import { type Argv, type Client, fill } from "./Client.ts"
import { digits } from "./Load.ts"

export interface Case {
  readonly name: string
  readonly documented: "O(1)" | "O(log N)" | "O(N)"
  readonly commands: (round: number, n: number) => ReadonlyArray<Argv>
}

export interface Family {
  readonly name: string
  readonly fill: (client: Client, n: number) => Promise<void>
  readonly cases: ReadonlyArray<Case>
}

/**
 * What one name costs that comes and goes in a large value, as a lock does: tables that only mark a removed entry can grow a
 * long trail of marks behind that one name.
 */
const comesAndGoes = (come: Argv, go: Argv): Case => ({
  name: `${come[0]}, ${go[0]} of one name`,
  documented: "O(1)",
  commands: () => [come, go],
})

/** The same scattered index each time: 7919 is prime, so the walk meets every element of a size that it does not divide. */
const pick = (round: number, n: number): number => (round * 7919) % n

const member = (index: number): string => `m${digits(index)}`

/** Elements a command when a value is filled. */
const chunk = 200

const fillWith =
  (command: ReadonlyArray<string>, element: (index: number) => ReadonlyArray<string>) =>
  (client: Client, n: number): Promise<void> =>
    fill(client, Math.ceil(n / chunk), (part) => {
      const elements = Array.from({ length: Math.min(chunk, n - part * chunk) }, (_, i) => element(part * chunk + i))
      return [...command, ...elements.flat()]
    })

const fixed = (name: string, documented: Case["documented"], ...argv: ReadonlyArray<string>): Case => ({
  name,
  documented,
  commands: () => [argv],
})

const at = (name: string, documented: Case["documented"], argv: (index: number, n: number) => Argv): Case => ({
  name,
  documented,
  commands: (round, n) => [argv(pick(round, n), n)],
})

const pair = (
  name: string,
  documented: Case["documented"],
  commands: (round: number) => ReadonlyArray<Argv>,
): Case => ({
  name,
  documented,
  commands: (round) => commands(round),
})

const keyspace: Family = {
  name: "keys",
  fill: (client, n) => fill(client, n, (index) => ["SET", member(index), "1"]),
  cases: [
    at("GET", "O(1)", (i) => ["GET", member(i)]),
    at("SET", "O(1)", (i) => ["SET", member(i), "1"]),
    at("INCR", "O(1)", (i) => ["INCR", member(i)]),
    at("EXISTS", "O(1)", (i) => ["EXISTS", member(i)]),
    at("EXPIRE", "O(1)", (i) => ["EXPIRE", member(i), "100000"]),
    at("TTL", "O(1)", (i) => ["TTL", member(i)]),
    at("PERSIST", "O(1)", (i) => ["PERSIST", member(i)]),
    pair("SET, DEL", "O(1)", (i) => [
      ["SET", `new${i}`, "1"],
      ["DEL", `new${i}`],
    ]),
    pair("RENAME", "O(1)", () => [
      ["RENAME", member(1), "other"],
      ["RENAME", "other", member(1)],
    ]),
    comesAndGoes(["SET", "lock", "1"], ["DEL", "lock"]),
    comesAndGoes(["EXPIRE", member(1), "1000"], ["PERSIST", member(1)]),
    at("COPY", "O(1)", (i) => ["COPY", member(i), "copy", "REPLACE"]),
    pair("SET EX, UNLINK", "O(1)", (i) => [
      ["SET", `new${i}`, "1", "EX", "1000"],
      ["UNLINK", `new${i}`],
    ]),
    pair("SET NX PX, DEL of one name", "O(1)", () => [
      ["SET", "timed", "1", "NX", "PX", "100000"],
      ["DEL", "timed"],
    ]),
    fixed("RANDOMKEY", "O(1)", "RANDOMKEY"),
    fixed("DBSIZE", "O(1)", "DBSIZE"),
    fixed("SCAN COUNT 10", "O(1)", "SCAN", "0", "COUNT", "10"),
    fixed("KEYS", "O(N)", "KEYS", "nothing*"),
  ],
}

const lists: Family = {
  name: "lists",
  fill: fillWith(["RPUSH", "k"], (index) => [member(index)]),
  cases: [
    pair("LPUSH, RPOP", "O(1)", () => [
      ["LPUSH", "k", "x"],
      ["RPOP", "k"],
    ]),
    pair("RPUSH, LPOP", "O(1)", () => [
      ["RPUSH", "k", "x"],
      ["LPOP", "k"],
    ]),
    fixed("LMOVE", "O(1)", "LMOVE", "k", "k", "LEFT", "RIGHT"),
    fixed("LLEN", "O(1)", "LLEN", "k"),
    fixed("LINDEX 5", "O(1)", "LINDEX", "k", "5"),
    fixed("LINDEX -5", "O(1)", "LINDEX", "k", "-5"),
    at("LINDEX", "O(N)", (i) => ["LINDEX", "k", String(i)]),
    at("LSET", "O(N)", (i) => ["LSET", "k", String(i), "x"]),
    fixed("LRANGE 0 9", "O(1)", "LRANGE", "k", "0", "9"),
    fixed("LRANGE -10 -1", "O(1)", "LRANGE", "k", "-10", "-1"),
    pair("LINSERT, LREM", "O(N)", () => [
      ["LINSERT", "k", "AFTER", "none", "y"],
      ["LREM", "k", "1", "none"],
    ]),
    fixed("LPOS", "O(N)", "LPOS", "k", "none"),
    fixed("LTRIM 0 -1", "O(1)", "LTRIM", "k", "0", "-1"),
    fixed("LRANGE 0 -1", "O(N)", "LRANGE", "k", "0", "-1"),
  ],
}

const hashes: Family = {
  name: "hashes",
  fill: fillWith(["HSET", "k"], (index) => [member(index), "1"]),
  cases: [
    at("HGET", "O(1)", (i) => ["HGET", "k", member(i)]),
    at("HSET", "O(1)", (i) => ["HSET", "k", member(i), "1"]),
    at("HINCRBY", "O(1)", (i) => ["HINCRBY", "k", member(i), "1"]),
    at("HEXISTS", "O(1)", (i) => ["HEXISTS", "k", member(i)]),
    pair("HSET, HDEL", "O(1)", (i) => [
      ["HSET", "k", `new${i}`, "1"],
      ["HDEL", "k", `new${i}`],
    ]),
    comesAndGoes(["HSET", "k", "lock", "1"], ["HDEL", "k", "lock"]),
    fixed("HLEN", "O(1)", "HLEN", "k"),
    fixed("HRANDFIELD", "O(1)", "HRANDFIELD", "k"),
    fixed("HSCAN COUNT 10", "O(1)", "HSCAN", "k", "0", "COUNT", "10"),
    fixed("HGETALL", "O(N)", "HGETALL", "k"),
    fixed("HKEYS", "O(N)", "HKEYS", "k"),
  ],
}

const sets: Family = {
  name: "sets",
  fill: async (client, n) => {
    await fillWith(["SADD", "k"], (index) => [member(index)])(client, n)
    await client.call("SADD", "few", member(1), member(2), "other")
  },
  cases: [
    at("SISMEMBER", "O(1)", (i) => ["SISMEMBER", "k", member(i)]),
    pair("SADD, SREM", "O(1)", (i) => [
      ["SADD", "k", `new${i}`],
      ["SREM", "k", `new${i}`],
    ]),
    pair("SADD, SPOP", "O(1)", (i) => [
      ["SADD", "k", `pop${i}`],
      ["SPOP", "k"],
    ]),
    comesAndGoes(["SADD", "k", "lock"], ["SREM", "k", "lock"]),
    fixed("SCARD", "O(1)", "SCARD", "k"),
    fixed("SRANDMEMBER", "O(1)", "SRANDMEMBER", "k"),
    fixed("SRANDMEMBER -10", "O(1)", "SRANDMEMBER", "k", "-10"),
    fixed("SSCAN COUNT 10", "O(1)", "SSCAN", "k", "0", "COUNT", "10"),
    pair("SMOVE there and back", "O(1)", () => [
      ["SMOVE", "k", "few", member(5)],
      ["SMOVE", "few", "k", member(5)],
    ]),
    fixed("SINTER with few", "O(1)", "SINTER", "k", "few"),
    fixed("SMEMBERS", "O(N)", "SMEMBERS", "k"),
  ],
}

const sortedSets: Family = {
  name: "zsets",
  fill: fillWith(["ZADD", "k"], (index) => [String(index), member(index)]),
  cases: [
    at("ZSCORE", "O(1)", (i) => ["ZSCORE", "k", member(i)]),
    at("ZADD", "O(log N)", (i, n) => ["ZADD", "k", String((i * 31) % n), member(i)]),
    at("ZINCRBY", "O(log N)", (i) => ["ZINCRBY", "k", "1.5", member(i)]),
    at("ZRANK", "O(log N)", (i) => ["ZRANK", "k", member(i)]),
    at("ZREVRANK", "O(log N)", (i) => ["ZREVRANK", "k", member(i)]),
    at("ZRANGE of 10 by rank", "O(log N)", (i) => ["ZRANGE", "k", String(i), String(i + 9)]),
    at("ZRANGE of 10 by score", "O(log N)", (i) => ["ZRANGE", "k", String(i), "inf", "BYSCORE", "LIMIT", "0", "10"]),
    at("ZCOUNT", "O(log N)", (i) => ["ZCOUNT", "k", String(i), "inf"]),
    pair("ZADD, ZREM", "O(log N)", (i) => [
      ["ZADD", "k", String(i), `rem${i}`],
      ["ZREM", "k", `rem${i}`],
    ]),
    pair("ZADD, ZPOPMIN", "O(log N)", (i) => [
      ["ZADD", "k", String(i), `pop${i}`],
      ["ZPOPMIN", "k"],
    ]),
    pair("ZADD, ZREMRANGEBYRANK", "O(log N)", (i) => [
      ["ZADD", "k", String(i), `cut${i}`],
      ["ZREMRANGEBYRANK", "k", "500", "500"],
    ]),
    comesAndGoes(["ZADD", "k", "5", "lock"], ["ZREM", "k", "lock"]),
    at("ZLEXCOUNT", "O(log N)", (i) => ["ZLEXCOUNT", "k", `[${member(i)}`, "+"]),
    fixed("ZSCAN COUNT 10", "O(1)", "ZSCAN", "k", "0", "COUNT", "10"),
    fixed("ZCARD", "O(1)", "ZCARD", "k"),
    fixed("ZRANDMEMBER", "O(1)", "ZRANDMEMBER", "k"),
    fixed("ZRANGE 0 -1", "O(N)", "ZRANGE", "k", "0", "-1"),
  ],
}

const streams: Family = {
  name: "streams",
  fill: async (client, n) => {
    await fill(client, n, (index) => ["XADD", "k", `${index + 1}-1`, "f", "v"])
    await client.call("XGROUP", "CREATE", "k", "g", "$")
  },
  cases: [
    at("XRANGE of 10", "O(log N)", (i) => ["XRANGE", "k", `${i}-0`, "+", "COUNT", "10"]),
    at("XREVRANGE of 10", "O(log N)", (i) => ["XREVRANGE", "k", `${i + 20}-0`, "-", "COUNT", "10"]),
    at("XREAD of 10", "O(log N)", (i) => ["XREAD", "COUNT", "10", "STREAMS", "k", `${i}-0`]),
    fixed("XLEN", "O(1)", "XLEN", "k"),
    fixed("XINFO STREAM", "O(1)", "XINFO", "STREAM", "k"),
    {
      name: "XADD, XREADGROUP, XACK, XDEL",
      documented: "O(1)",
      commands: (i) => [
        ["XADD", "k", `9999999999998-${i + 1}`, "f", "v"],
        ["XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "k", ">"],
        ["XACK", "k", "g", `9999999999998-${i + 1}`],
        ["XDEL", "k", `9999999999998-${i + 1}`],
      ],
    },
    fixed("XRANGE - +", "O(N)", "XRANGE", "k", "-", "+"),
    {
      name: "XADD, XTRIM by one",
      documented: "O(1)",
      commands: (_, n) => [
        ["XADD", "k", "*", "f", "v"],
        ["XTRIM", "k", "MAXLEN", String(n)],
      ],
    },
    pair("XADD, XDEL", "O(1)", (i) => [
      ["XADD", "k", `9999999999999-${i + 1}`, "f", "v"],
      ["XDEL", "k", `9999999999999-${i + 1}`],
    ]),
  ],
}

const strings: Family = {
  name: "strings",
  fill: async (client, n) => {
    await client.call("SETRANGE", "k", String(n - 1), "x")
  },
  cases: [
    fixed("STRLEN", "O(1)", "STRLEN", "k"),
    at("GETRANGE of 10", "O(1)", (i) => ["GETRANGE", "k", String(i), String(i + 9)]),
    at("SETRANGE", "O(1)", (i) => ["SETRANGE", "k", String(i), "x"]),
    at("GETBIT", "O(1)", (i) => ["GETBIT", "k", String(i * 8)]),
    at("SETBIT", "O(1)", (i) => ["SETBIT", "k", String(i * 8), "0"]),
    at("BITFIELD", "O(1)", (i) => ["BITFIELD", "k", "INCRBY", "u8", String(i * 8), "1"]),
    fixed("BITCOUNT of 10", "O(1)", "BITCOUNT", "k", "100", "109"),
    fixed("BITPOS", "O(N)", "BITPOS", "k", "1", "0", "-2"),
    fixed("BITCOUNT", "O(N)", "BITCOUNT", "k"),
    fixed("GET", "O(N)", "GET", "k"),
    fixed("APPEND", "O(1)", "APPEND", "k", "x"),
    pair("PFADD, PFCOUNT", "O(1)", (i) => [
      ["PFADD", "h", `new${i}`],
      ["PFCOUNT", "h"],
    ]),
  ],
}

export const families: ReadonlyArray<Family> = [keyspace, lists, hashes, sets, sortedSets, streams, strings]
