/**
 * Requests of sizes that nobody needs and somebody sends: each is answered as redis-server 7.0.15 answers it, or with an error,
 * and the server goes on. Scaled down to where the defects that were found still show: JavaScript takes about 120,000 arguments
 * in one call, and a string of V8 ends 24 bytes before the longest value of Redis.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Reply from "../src/codec/Reply.ts"
import { type TestClient, withServer } from "./support/TestServer.ts"

const many = 150_000
const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => i)
const members = numbers(many).map((i) => `m${i}`)

/** A request with more arguments than a JavaScript call takes. */
const runLong = (client: TestClient, argv: ReadonlyArray<string>): Promise<Reply.Reply> => {
  client.sendRaw(`*${argv.length}\r\n${argv.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join("")}`)
  return client.receive()
}

const lengthOf = (reply: Reply.Reply): number => (reply._tag === "Array" ? reply.values.length : -1)

const failure = (message: string) => ({ _tag: "Failure", code: "ERR", message })

/** The server answers, and the connection is still there. */
const goesOn = async (client: TestClient): Promise<void> => expect(await client.run("PING")).toEqual(Reply.pong)

const hostile = (name: string, body: (client: TestClient) => Promise<void>): void =>
  void it.effect(
    name,
    () =>
      withServer((client) =>
        Effect.promise(async () => {
          await body(client)
          await goesOn(client)
        }),
      ),
    60_000,
  )

describe("more elements than a call of JavaScript takes arguments", () => {
  hostile("SADD and SPOP", async (client) => {
    expect(await runLong(client, ["SADD", "s", ...members])).toEqual(Reply.int(many))
    expect(lengthOf(await client.run("SPOP", "s", String(many - 10)))).toBe(many - 10)
    expect(await client.run("SCARD", "s")).toEqual(Reply.int(10))
  })
  hostile("RPUSH, LRANGE and LPOP with a count beyond 2^53", async (client) => {
    expect(await runLong(client, ["RPUSH", "l", ...members])).toEqual(Reply.int(many))
    expect(lengthOf(await client.run("LRANGE", "l", "0", "-1"))).toBe(many)
    expect(lengthOf(await client.run("LPOP", "l", "9223372036854775807"))).toBe(many)
    expect(await client.run("LPOP", "l", "9223372036854775807")).toEqual(Reply.nilArray)
    expect(await client.run("RPOP", "l", "9223372036854775808")).toMatchObject(
      failure("value is out of range, must be positive"),
    )
  })
  hostile("HSET, HGETALL and HPEXPIRE in the past", async (client) => {
    expect(await runLong(client, ["HSET", "h", ...members.flatMap((field) => [field, "v"])])).toEqual(Reply.int(many))
    expect(lengthOf(await client.run("HGETALL", "h"))).toBe(2 * many)
    expect(lengthOf(await runLong(client, ["HPEXPIREAT", "h", "1", "FIELDS", String(many), ...members]))).toBe(many)
    expect(await client.run("EXISTS", "h")).toEqual(Reply.zero)
  })
  hostile("ZADD, ZUNIONSTORE and ZPOPMIN", async (client) => {
    expect(await runLong(client, ["ZADD", "z", ...members.flatMap((member, i) => [String(i), member])])).toEqual(
      Reply.int(many),
    )
    expect(await client.run("ZUNIONSTORE", "d", "2", "z", "z")).toEqual(Reply.int(many))
    expect(lengthOf(await client.run("ZPOPMIN", "d", "4611686018427387904"))).toBe(2 * many)
    expect(await client.run("EXISTS", "d")).toEqual(Reply.zero)
  })
  hostile("MSET, MGET and DEL", async (client) => {
    expect(await runLong(client, ["MSET", ...members.flatMap((key) => [key, "v"])])).toEqual(Reply.ok)
    expect(lengthOf(await runLong(client, ["MGET", ...members]))).toBe(many)
    expect(lengthOf(await client.run("KEYS", "*"))).toBe(many)
    expect(await runLong(client, ["DEL", ...members])).toEqual(Reply.int(many))
  })
  hostile("XADD of one entry with as many fields, and XRANGE", async (client) => {
    await runLong(client, ["XADD", "x", "1-1", ...members.flatMap((field) => [field, "v"])])
    expect(await client.run("XLEN", "x")).toEqual(Reply.one)
    expect(lengthOf(await client.run("XRANGE", "x", "-", "+"))).toBe(1)
  })
  hostile("XREADGROUP of as many entries", async (client) => {
    client.sendRaw(`CLIENT REPLY OFF\r\n${"XADD x * f v\r\n".repeat(many)}CLIENT REPLY ON\r\n`)
    expect(await client.receive()).toEqual(Reply.ok)
    await client.run("XGROUP", "CREATE", "x", "g", "0")
    expect(
      await client.run("XREADGROUP", "GROUP", "g", "c", "COUNT", String(many), "STREAMS", "x", ">"),
    ).toHaveProperty("_tag", "Array")
    expect(await client.run("XPENDING", "x", "g")).toMatchObject({ values: [{ value: many }, {}, {}, {}] })
  })
  hostile("MULTI and EXEC of as many arguments", async (client) => {
    await client.run("MULTI")
    for (let i = 0; i < 3; i++) expect(await runLong(client, ["RPUSH", "l", ...members])).toEqual(Reply.queued)
    expect(lengthOf(await client.run("EXEC"))).toBe(3)
    expect(await client.run("LLEN", "l")).toEqual(Reply.int(3 * many))
  })
})

describe("strings at their longest", () => {
  const tooLong = failure("string exceeds maximum allowed size (proto-max-bulk-len)")
  hostile("SETRANGE, SETBIT, BITFIELD and APPEND beyond 512 MB are refused", async (client) => {
    expect(await client.run("SETRANGE", "k", "536870912", "x")).toMatchObject(tooLong)
    expect(await client.run("SETRANGE", "k", "9223372036854775807", "x")).toMatchObject(tooLong)
    const badOffset = failure("bit offset is not an integer or out of range")
    expect(await client.run("SETBIT", "k", "4294967296", "1")).toMatchObject(badOffset)
    expect(await client.run("BITFIELD", "k", "SET", "u8", "#1152921504606846976", "1")).toMatchObject(badOffset)
    expect(await client.run("EXISTS", "k")).toEqual(Reply.zero)
  })
  hostile("a value longer than a string of V8 survives DUMP and RESTORE", async (client) => {
    expect(await client.run("SETBIT", "k", "4294967295", "1")).toEqual(Reply.zero)
    const dumped = await client.run("DUMP", "k")
    if (dumped._tag !== "Bulk") throw new Error(`DUMP answered ${dumped._tag}`)
    expect(await client.run("RESTORE", "copy", "0", dumped.value)).toEqual(Reply.ok)
    expect(await client.run("STRLEN", "copy")).toEqual(Reply.int(536870912))
    expect(await client.run("GETBIT", "copy", "4294967295")).toEqual(Reply.one)
    expect(await client.run("GET", "copy")).toHaveProperty("_tag", "Failure")
    expect(await client.run("INCR", "k")).toMatchObject(failure("value is not an integer or out of range"))
    expect(await client.run("INCRBYFLOAT", "k", "1")).toMatchObject(failure("value is not a valid float"))
    expect(await client.run("RPUSH", "l", "1")).toEqual(Reply.one)
    expect(await client.run("SORT", "l", "BY", "k*")).toEqual(Reply.array([Reply.bulk("1")]))
    await client.run("RENAME", "k", "k1")
    expect(await client.run("SORT", "l", "BY", "k*")).toEqual(Reply.array([Reply.bulk("1")]))
    expect(await client.run("SORT", "l", "GET", "k*", "STORE", "d")).toMatchObject(tooLong)
  })
})

describe("numbers at their largest", () => {
  hostile("ids of a stream end at 2^64", async (client) => {
    const last = "18446744073709551615-18446744073709551615"
    expect(await client.run("XADD", "x", last, "f", "v")).toEqual(Reply.bulk(last))
    const exhausted = failure("The stream has exhausted the last possible ID, unable to add more items")
    expect(await client.run("XADD", "x", "*", "f", "v")).toMatchObject(exhausted)
    expect(await client.run("XRANGE", "x", `(${last}`, "+")).toMatchObject(failure("invalid start ID for the interval"))
    expect(await client.run("XREAD", "STREAMS", "x", last)).toEqual(Reply.nilArray)
  })
  hostile("XAUTOCLAIM with a COUNT that no memory holds", async (client) => {
    await client.run("XGROUP", "CREATE", "x", "g", "0", "MKSTREAM")
    expect(await client.run("XAUTOCLAIM", "x", "g", "c", "0", "0", "COUNT", "115292150460684697")).toMatchObject(
      failure("Insufficient memory, failed allocating transient memory, COUNT too high."),
    )
  })
  hostile("counts of -2^63 and of a thousand million are refused or empty", async (client) => {
    const range = "value is out of range, value must between -9223372036854775807 and 9223372036854775807"
    expect(await client.run("SRANDMEMBER", "none", "-9223372036854775808")).toMatchObject(failure(range))
    expect(await client.run("SRANDMEMBER", "none", "-1000000000")).toEqual(Reply.emptyArray)
    expect(await client.run("HRANDFIELD", "none", "4611686018427387904", "WITHVALUES")).toMatchObject(
      failure("value is out of range"),
    )
  })
})

describe("patterns that would go back and forth", () => {
  hostile("KEYS and PSUBSCRIBE with 25 stars", async (client) => {
    const pattern = `${"*a".repeat(25)}b`
    const name = "a".repeat(5000)
    await client.run("SET", name, "v")
    expect(await client.run("KEYS", pattern)).toEqual(Reply.emptyArray)
    await client.run("PSUBSCRIBE", pattern)
    await client.run("PUNSUBSCRIBE", pattern)
    expect(await client.run("PUBLISH", name, "hello")).toEqual(Reply.zero)
  })
})
