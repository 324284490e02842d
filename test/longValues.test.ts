/**
 * Values that stay bytes on their way in and out: whoever reads them as strings finds strings, and bytes that are on their way to a
 * peer do not change.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import * as BufferPool from "../src/bytes/BufferPool.ts"
import { Decoder } from "../src/codec/Decoder.ts"
import { LongRequest } from "../src/codec/LongRequest.ts"
import * as Reply from "../src/codec/Reply.ts"
import { type Change, Persistence } from "../src/persistence/Persistence.ts"
import { request as encodeRequest } from "../src/persistence/log/LogText.ts"
import * as Server from "../src/Server.ts"
import { StringBuffer } from "../src/store/StringBuffer.ts"
import { receive } from "./support/Connections.ts"
import { atStartTime, connect, run, type TestClient, testSettings, withServer } from "./support/TestServer.ts"

/** `length` bytes that tell from where they are. */
const text = (length: number, mark: string): string => (mark + "0123456789".repeat(length / 10 + 1)).slice(0, length)

const long = text(100_000, "a")
const other = text(100_000, "b")

/** Sends a request in two pieces, so that its long argument is collected. */
const sendInPieces = (client: TestClient, ...argv: ReadonlyArray<string>) => {
  const bytes = encodeRequest(argv)
  client.sendRaw(bytes.slice(0, 1000))
  client.sendRaw(bytes.slice(1000))
  return receive(client, 1)
}

const bulk = (value: string) => [Reply.bulk(value)]

/** As the decoder has it when the long argument comes. */
const withoutPlace = (argv: ReadonlyArray<string>, position: number) => {
  const args = new Array<string>(argv.length)
  argv.forEach((word, i) => i !== position && (args[i] = word))
  return args
}

describe("a request with a long argument", () => {
  const make = (argv: ReadonlyArray<string>, position: number) =>
    LongRequest.make(
      withoutPlace(argv, position),
      position,
      Buffer.from(`${argv[position]} and more`),
      argv[position]!.length,
    )

  it("is an array of strings for whoever does not know", () => {
    const request = make(["SET", "k", "value"], 2)
    expect(Array.isArray(request)).toBe(true)
    expect([...request]).toEqual(["SET", "k", "value"])
    expect(request.slice(1)).toEqual(["k", "value"])
    expect(request.map((word) => word.length)).toEqual([3, 1, 5])
    expect(request.some((word, i) => i > 1 && word === "value")).toBe(true)
    expect(request[3]).toBe(undefined)
  })

  it("gives its bytes away once, and can still be read", () => {
    const request = make(["SETEX", "k", "10", "value"], 3)
    expect(request.take(2)).toBe(undefined)
    expect(request.take(3)?.bytes.latin1Slice(0, 5)).toBe("value")
    expect(request.take(3)).toBe(undefined)
    expect(request[3]).toBe("value")
  })

  it("gives away nothing that is a string by now, since its memory may be used again", () => {
    const request = make(["SET", "k", "value"], 2)
    expect(request[2]).toBe("value")
    expect(request.take(2)).toBe(undefined)
    expect(request[2]).toBe("value")
  })
})

describe("a decoder says where it wants to receive", () => {
  /** Decodes as a socket does that reads as much as there is room for, and is asked for requests every `every` reads. */
  const decode = (bytes: string, every: number, chunkMax: number) => {
    const decoder = new Decoder()
    const shared = Buffer.alloc(chunkMax)
    const stream = Buffer.from(bytes, "latin1")
    const requests: Array<ReadonlyArray<string>> = []
    let placed = 0
    for (let at = 0, reads = 1; at < stream.length; reads++) {
      const room = decoder.room()
      if (room !== undefined) placed++
      const place = (room ?? shared).subarray(0, chunkMax)
      const length = stream.copy(place, 0, at)
      at += length
      if (room === undefined) decoder.push(place.subarray(0, length))
      else decoder.filled(length)
      // What others receive meanwhile goes to the same place.
      shared.fill("!")
      if (reads % every > 0 && at < stream.length) continue
      for (let argv = decoder.next(); argv !== undefined; argv = decoder.next()) requests.push([...argv])
    }
    return { requests, placed }
  }
  const requests = [
    ["SET", "k", text(70_000, "a")],
    ["SET", "k", text(65_536, "b"), "EX", "10"],
    ["PING"],
    ["SETEX", "k", "10", text(40_000, "c")],
    ["MSET", "k", text(90_000, "d"), "l", text(50_000, "e"), "m", "n"],
    ["SET", "k", text(1_500_000, "f")],
    ["SET", "k", text(40_000, "g")],
    ["GET", "k"],
    ["SET", "k", text(30_000, "h")],
    ["SET", text(300, "l"), text(70_000, "i")],
    ["SET", text(3_000, "m"), text(70_000, "j")],
  ]

  it.prop(
    "and finds what comes there",
    [fc.integer({ min: 1, max: 5 }), fc.integer({ min: 500, max: 300_000 }), fc.shuffledSubarray(requests)],
    ([every, chunkMax, some]) => {
      expect(decode(some.map(encodeRequest).join(""), every, chunkMax).requests).toEqual(some)
    },
  )

  it("and receives most of a long value there", () => {
    const sets = Array.from({ length: 10 }, () => ["SET", "k", text(65_536, "a")])
    const { requests: decoded, placed } = decode(sets.map(encodeRequest).join(""), 1, 16_384)
    expect(decoded).toEqual(sets)
    expect(placed).toBeGreaterThan(20)
  })

  it.each([1, 200, 900])("and of the next value all but a beginning, behind a key of %i bytes", (keyLength) => {
    const sets = Array.from({ length: 3 }, (_, i) => ["SET", text(keyLength, `${i}`), text(65_536, "a")])
    const decoder = new Decoder()
    for (const [i, argv] of sets.entries()) {
      const bytes = Buffer.from(encodeRequest(argv), "latin1")
      let at = 0
      if (i === 0) decoder.push(bytes.subarray(0, (at = 2000)))
      else {
        const place = decoder.room()!
        expect(place.length).toBe(keyLength === 1 ? 256 : 1024)
        at = bytes.copy(place)
        decoder.filled(at)
      }
      expect(decoder.next()).toBe(undefined)
      decoder.filled(bytes.copy(decoder.room()!, 0, at))
      expect([...decoder.next()!]).toEqual(argv)
    }
  })

  it("and wants nothing received into what is complete", () => {
    const decoder = new Decoder()
    const bytes = Buffer.from(encodeRequest(["SET", "k", long]), "latin1")
    decoder.push(bytes.subarray(0, 1000))
    expect(decoder.next()).toBe(undefined)
    expect(decoder.room()!.length).toBeGreaterThanOrEqual(bytes.length - 1000)
    decoder.push(bytes.subarray(1000))
    const room = decoder.room()
    const argument = (decoder.next() as LongRequest).take(2)!
    expect(room?.buffer).not.toBe(argument.bytes.buffer)
  })
})

describe("memory for long values", () => {
  it("is used again for another of about the same length", () => {
    const memory = BufferPool.take(65_000)
    expect(memory.length).toBeGreaterThanOrEqual(65_000)
    expect(memory.length).toBeLessThan(65_000 * 1.125 + 200)
    BufferPool.give(memory)
    expect(BufferPool.take(65_100)).toBe(memory)
  })

  it("is not kept when it came from elsewhere", () => {
    const memory = Buffer.alloc(65_000)
    BufferPool.give(memory)
    expect(BufferPool.take(65_000)).not.toBe(memory)
  })
})

describe("bytes that are lent", () => {
  it("stay as they are when the value changes, which goes on in memory of its own", () => {
    const value = StringBuffer.from("value")
    const lent = value.lend()
    value.own().setRange(0, "V")
    expect(lent.latin1Slice()).toBe("value")
    expect(value.toString()).toBe("Value")
    const memory = value.bytes
    value.giveBack(lent)
    expect(value.own().bytes).toBe(memory)
  })

  it("are not used again for another value before they are back", () => {
    const value = new StringBuffer(BufferPool.take(77_777), 77_777)
    const lent = value.lend()
    value.reuse()
    expect(BufferPool.take(77_777)).not.toBe(value.bytes)
    value.giveBack(lent)
    value.reuse()
    expect(BufferPool.take(77_777)).toBe(value.bytes)
  })
})

describe.each(["bytes", "map"] as const)("long values in the keyspace %s", (keyspace) => {
  it.effect("are what was sent, whole or in pieces, by whatever command", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          for (const argv of [
            ["SET", "k", long],
            ["SET", "k", long, "EX", "100"],
            ["SETEX", "k", "100", long],
            ["PSETEX", "k", "100000", long],
            ["GETSET", "k", long],
            ["SET", "k", long, "GET"],
            ["SET", "k", long, "XX", "KEEPTTL"],
          ]) {
            for (const send of [run, sendInPieces]) {
              yield* run(client, "SET", "k", other)
              yield* send(client, ...argv)
              expect(yield* run(client, "GET", "k")).toEqual(Reply.bulk(long))
            }
          }
          yield* run(client, "DEL", "k")
          yield* sendInPieces(client, "SETNX", "k", long)
          expect(yield* sendInPieces(client, "APPEND", "k", long)).toEqual([Reply.int(200_000)])
          expect(yield* run(client, "GETDEL", "k")).toEqual(Reply.bulk(long + long))
        }),
      { keyspace },
    ),
  )

  it.effect("stay as they were answered while the peer does not read, whatever is done to the key", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          for (const change of [
            ["SET", "k", other],
            ["SETRANGE", "k", "0", "changed"],
            ["APPEND", "k", "more"],
            ["SETBIT", "k", "3", "1"],
            ["BITFIELD", "k", "SET", "u8", "0", "255"],
            ["GETDEL", "k"],
          ]) {
            yield* sendInPieces(client, "SET", "k", long)
            const reader = yield* connect
            reader.peer.setPaused(true)
            reader.sendRaw(encodeRequest(["GET", "k"]) + encodeRequest(["STRLEN", "k"]))
            yield* run(client, ...change)
            for (let i = 0; i < 5; i++) yield* sendInPieces(client, "SET", "k", other)
            reader.peer.setPaused(false)
            expect(yield* receive(reader, 2)).toEqual([Reply.bulk(long), Reply.int(100_000)])
            reader.destroy()
          }
        }),
      { keyspace },
    ),
  )

  it.effect("are answered as they were in a transaction that changes them", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* sendInPieces(client, "SET", "k", long)
          yield* run(client, "MULTI")
          yield* run(client, "GET", "k")
          yield* sendInPieces(client, "SET", "k", other)
          yield* run(client, "GET", "k")
          yield* run(client, "SETRANGE", "k", "0", "c")
          yield* run(client, "GET", "k")
          expect(yield* run(client, "EXEC")).toEqual(
            Reply.array([...bulk(long), Reply.ok, ...bulk(other), Reply.int(100_000), ...bulk(`c${other.slice(1)}`)]),
          )
        }),
      { keyspace },
    ),
  )

  it.effect("are strings for scripts", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* sendInPieces(client, "SET", "k", long)
          const script = "redis.call('SET', 'l', ARGV[1]) return redis.call('GET', 'k') == redis.call('GET', 'l')"
          expect(yield* run(client, "EVAL", script, "0", long)).toEqual(Reply.one)
        }),
      { keyspace },
    ),
  )
})

it.effect("MONITOR and SLOWLOG see a long argument", () =>
  withServer(
    (client) =>
      Effect.gen(function* () {
        const watcher = yield* connect
        yield* run(watcher, "MONITOR")
        yield* sendInPieces(client, "SET", "k", long)
        const [line] = yield* receive(watcher, 1)
        expect(line).toMatchObject({ value: expect.stringContaining(`"SET" "k" "${long}"`) })
        const slow = JSON.stringify(yield* run(client, "SLOWLOG", "GET", "1"))
        expect(slow).toContain(`"${long.slice(0, 128)}... (${long.length - 128} more bytes)"`)
      }),
    { slowlogLogSlowerThan: 0 },
  ),
)

it.effect("a long argument is logged as it came, though it is changed in the same unit", () => {
  const log: Array<Change> = []
  return Effect.gen(function* () {
    const client = yield* connect
    yield* run(client, "MULTI")
    yield* sendInPieces(client, "SET", "k", long)
    yield* run(client, "SETRANGE", "k", "0", "changed")
    yield* run(client, "EXEC")
    yield* sendInPieces(client, "SET", "k", other, "PX", "1")
    expect(log.map(({ argv }) => argv)).toEqual([
      ["MULTI"],
      ["SET", "k", long],
      ["SETRANGE", "k", "0", "changed"],
      ["EXEC"],
      ["SET", "k", other, "PXAT", "1704067200001"],
    ])
  }).pipe(Effect.provide(Server.layerTest(testSettings, { persistence: Persistence.layerMemory(log) })), atStartTime)
})
