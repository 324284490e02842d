/**
 * Values of 256 bytes to 4 KiB, which GET writes to where replies are sent from without making a string of them: they are what was
 * stored at that moment, whoever else writes to the same memory before they leave, and whatever happens to the key.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { encode } from "../src/codec/Encoder.ts"
import * as Reply from "../src/codec/Reply.ts"
import * as ReplyArena from "../src/codec/ReplyArena.ts"
import { addSmall } from "../src/codec/SmallReply.ts"
import { request as encodeRequest } from "../src/persistence/log/LogText.ts"
import { Outgoing } from "../src/socket/Outgoing.ts"
import { receive } from "./support/Connections.ts"
import { connect, run, withServer } from "./support/TestServer.ts"

const text = (length: number, seed = 7): string =>
  Array.from({ length }, (_, i) => String.fromCharCode((i * seed + (i >> 8)) & 255)).join("")

/** A value as GET answers it. */
const stored = (value: string): ReplyArena.StoredBulk => {
  const bytes = Buffer.from(`before${value}behind`, "latin1")
  return ReplyArena.storedBulk(bytes, 6, 6 + value.length)!
}

describe("a stored value", () => {
  it.each([256, 999, 1000, 4096, 9999])("of %d bytes is the bulk string that the encoder makes", (length) => {
    const out = new Outgoing({ addSmall } as never)
    expect(out.addShort(stored(text(length)), 2)).toBe(true)
    expect((out.take() as Buffer).latin1Slice()).toBe(encode(Reply.bulk(text(length)), 2))
  })

  it("is a string when somebody else has written before it was sent", () => {
    const [first, second] = [stored(text(300)), stored(text(400))]
    const out = new Outgoing({ addSmall } as never)
    expect(out.addShort(first, 2)).toBe(false)
    expect(first.value).toBe(text(300))
    expect(out.addShort(second, 2)).toBe(true)
    expect((out.take() as Buffer).length).toBe(400 + 8)
  })

  it("is what it was when other memory goes on in its place", () => {
    const reply = stored(text(300))
    ReplyArena.keep()
    expect(stored(text(400, 3)).value).toBe(text(400, 3))
    expect(reply.value).toBe(text(300))
  })

  it("finds no room beside much that has not left", () => {
    const outs = Array.from({ length: 40 }, () => new Outgoing({ addSmall } as never))
    const all = outs.map((out, i) => {
      const value = text(4096, i)
      const reply = ReplyArena.storedBulk(Buffer.from(value, "latin1"), 0, 4096)
      return reply !== undefined && out.addShort(reply, 2)
    })
    expect(all.filter((isThere) => isThere).length).toBe(Math.floor((128 * 1024) / (4096 + 9)))
    outs.forEach((out, i) => {
      if (all[i]) expect((out.take() as Buffer).latin1Slice()).toBe(`$4096\r\n${text(4096, i)}\r\n`)
    })
    expect(stored(text(300)).value).toBe(text(300))
  })
})

describe("what several connections have to send", () => {
  it("is theirs, in order, however they take turns", () => {
    const outs = Array.from({ length: 5 }, () => new Outgoing({ addSmall } as never))
    const expected = outs.map(() => "")
    for (let i = 0; i < 400; i++) {
      const which = (i * i) % 5
      const reply =
        i % 3 === 0 ? stored(text(256 + i, i)) : i % 4 === 0 ? Reply.int(i) : Reply.bulk(`${i}`.repeat(i % 90))
      const bytes = encode(reply._tag === "Bulk" && i % 3 === 0 ? Reply.bulk(text(256 + i, i)) : reply, 2)
      expected[which] += bytes
      if (!outs[which]!.addShort(reply, 2)) outs[which]!.add(encode(reply, 2))
      expect(outs[which]!.length).toBe(expected[which]!.length)
      if (i % 17 === 0) {
        const all = outs[which]!.take()
        expect(typeof all === "string" ? all : all.latin1Slice()).toBe(expected[which])
        expected[which] = ""
      }
    }
    expect(outs.map((out) => out.takeText())).toEqual(expected)
  })
})

describe.each(["bytes", "map"] as const)("GET with the keyspace %s", (keyspace) => {
  const lengths = [255, 256, 257, 999, 1000, 1024, 4095, 4096, 4097]
  const setAll = Effect.fnUntraced(function* (client: Parameters<typeof run>[0]) {
    for (const length of lengths) yield* run(client, "SET", `k${length}`, text(length))
  })

  it.effect("answers what was stored, alone and in pipelines of several connections", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* setAll(client)
          for (const length of lengths) {
            expect(yield* run(client, "GET", `k${length}`)).toEqual(Reply.bulk(text(length)))
          }
          const requests = [...lengths, ...lengths].flatMap((length) => [
            ["GET", `k${length}`],
            ["STRLEN", `k${length}`],
          ])
          const replies = [...lengths, ...lengths].flatMap((length) => [Reply.bulk(text(length)), Reply.int(length)])
          const clients = yield* Effect.replicateEffect(connect, 5)
          for (const each of clients) each.sendRaw(requests.map(encodeRequest).join(""))
          for (const each of clients) expect(yield* receive(each, replies.length)).toEqual(replies)
        }),
      { keyspace },
    ),
  )

  it.effect("answers what the value was, whatever comes behind it", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "k", text(1024))
          const requests = [
            ["GET", "k"],
            ["SET", "k", text(1024, 3)],
            ["GET", "k"],
            ["SETRANGE", "k", "0", "changed"],
            ["GET", "k"],
            ["DEL", "k"],
            ["GET", "k"],
          ]
          const replies = [
            Reply.bulk(text(1024)),
            Reply.ok,
            Reply.bulk(text(1024, 3)),
            Reply.int(1024),
            Reply.bulk(`changed${text(1024, 3).slice(7)}`),
            Reply.one,
            Reply.nil,
          ]
          client.sendRaw(requests.map(encodeRequest).join(""))
          expect(yield* receive(client, replies.length)).toEqual(replies)
          yield* run(client, "SET", "k", text(1024))
          yield* run(client, "MULTI")
          for (const [name, ...args] of requests) yield* run(client, name!, ...args)
          expect(yield* run(client, "EXEC")).toEqual(Reply.array(replies))
          yield* run(client, "SET", "k", text(1024))
          const script = `local a = redis.call('GET', 'k') redis.call('SET', 'k', ARGV[1]) return {a, redis.call('GET', 'k')}`
          expect(yield* run(client, "EVAL", script, "0", text(500))).toEqual(
            Reply.array([Reply.bulk(text(1024)), Reply.bulk(text(500))]),
          )
        }),
      { keyspace },
    ),
  )

  it.effect("answers nothing under CLIENT REPLY OFF, and the next one what it asks for", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* setAll(client)
          client.sendRaw(
            [
              ["CLIENT", "REPLY", "SKIP"],
              ["GET", "k1024"],
              ["GET", "k999"],
              ["CLIENT", "REPLY", "OFF"],
              ["GET", "k1000"],
              ["CLIENT", "REPLY", "ON"],
              ["ECHO", "end"],
            ]
              .map(encodeRequest)
              .join(""),
          )
          expect(yield* receive(client, 3)).toEqual([Reply.bulk(text(999)), Reply.ok, Reply.bulk("end")])
        }),
      { keyspace },
    ),
  )

  it.effect("goes on unchanged to a peer that reads it late", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* setAll(client)
          const read = lengths.toReversed().filter((length) => length <= 4096)
          const readers = yield* Effect.replicateEffect(connect, 3)
          for (const reader of readers) {
            reader.peer.setPaused(true)
            // The first one is not yet behind anything that waits.
            for (const length of read) reader.send("GET", `k${length}`)
          }
          for (const length of lengths) {
            yield* run(client, "SET", `k${length}`, text(length, 5))
            expect(yield* run(client, "GET", `k${length}`)).toEqual(Reply.bulk(text(length, 5)))
          }
          for (const reader of readers) reader.peer.setPaused(false)
          for (const reader of readers) {
            expect(yield* receive(reader, read.length)).toEqual(read.map((length) => Reply.bulk(text(length))))
          }
        }),
      { keyspace },
    ),
  )

  it.effect("is WRONGTYPE for a hash, and nil for one whose last field has just gone", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* run(client, "HSET", "h", "f", "v")
          expect(yield* run(client, "GET", "h")).toMatchObject({ _tag: "Failure", code: "WRONGTYPE" })
          yield* run(client, "HPEXPIRE", "h", "0", "FIELDS", "1", "f")
          expect(yield* run(client, "GET", "h")).toEqual(Reply.nil)
        }),
      { keyspace },
    ),
  )
})
