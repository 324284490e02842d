/**
 * What CLIENT LIST says of connections: the figures that redis-server 7.0.15 gives in the same situations, where both hold the same
 * (a request, its arguments, an answer); the room that redis-server sets aside beyond that is not there.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { connect, run, type TestClient, withServer } from "./support/TestServer.ts"

/** The named fields of the line of `id`, or of the client itself. */
const fields = (client: TestClient, id: number | undefined, ...names: ReadonlyArray<string>) =>
  Effect.map(
    id === undefined ? run(client, "CLIENT", "INFO") : run(client, "CLIENT", "LIST", "ID", String(id)),
    (reply) => {
      const line = "value" in reply ? String(reply.value) : ""
      return Object.fromEntries(names.map((name) => [name, new RegExp(` ${name}=(\\S*)`).exec(line)?.[1]]))
    },
  )

const idOf = (client: TestClient) =>
  Effect.map(run(client, "CLIENT", "ID"), (reply) => ("value" in reply ? Number(reply.value) : 0))

describe("CLIENT LIST", () => {
  it.effect("counts the running request, its arguments and the answers before it", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const id = yield* idOf(client)
        expect(yield* fields(client, undefined, "qbuf", "argv-mem", "obl")).toEqual({
          qbuf: "26",
          "argv-mem": "10",
          obl: "0",
        })
        client.sendRaw(
          ["PING", "PING", `CLIENT LIST ID ${id}`]
            .map((text) => text.split(" "))
            .map((words) => `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`)
            .join(""),
        )
        yield* Effect.promise(client.receive)
        yield* Effect.promise(client.receive)
        expect(yield* Effect.promise(client.receive)).toMatchObject({
          value: expect.stringMatching(/ qbuf=69 .* argv-mem=13 .* obl=14 oll=0 omem=0 /),
        })
      }),
    ),
  )

  it.effect("counts what has come of a request, and the longest answers of the last seconds", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const other = yield* connect
        const id = yield* idOf(other)
        other.sendRaw("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nabc")
        expect(yield* fields(client, id, "qbuf", "qbuf-free", "argv-mem", "rbp")).toEqual({
          ...{ qbuf: "3", "qbuf-free": "0", "argv-mem": "4" },
          rbp: "4",
        })
        other.sendRaw(`${"d".repeat(97)}\r\n`)
        yield* Effect.promise(other.receive)
        expect(yield* fields(client, id, "qbuf", "argv-mem", "rbp")).toEqual({ qbuf: "0", "argv-mem": "0", rbp: "5" })
        yield* run(client, "DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "NEVER")
        yield* TestClock.adjust("1 minute")
        expect(yield* fields(client, id, "rbp")).toEqual({ rbp: "5" })
        yield* run(client, "DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "RESET")
        expect(yield* fields(client, id, "rbp")).toEqual({ rbp: "0" })
        // Of a long argument there is room for the rest.
        other.sendRaw(`*2\r\n$4\r\nECHO\r\n$200000\r\n${"e".repeat(100)}`)
        const { qbuf, "qbuf-free": free } = yield* fields(client, id, "qbuf", "qbuf-free")
        expect(qbuf).toBe("100")
        expect(Number(free)).toBeGreaterThan(0)
      }),
    ),
  )

  it.effect("counts the request that waits, and answers that nobody reads", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const waiting = yield* connect
        const waitingId = yield* idOf(waiting)
        waiting.send("BLPOP", "l", "0")
        expect(yield* fields(client, waitingId, "qbuf", "argv-mem")).toEqual({ qbuf: "0", "argv-mem": "7" })
        const lazy = yield* connect
        const lazyId = yield* idOf(lazy)
        yield* run(client, "SETRANGE", "k", "99999", "x")
        lazy.peer.setPaused(true)
        lazy.send("GET", "k")
        expect(yield* fields(client, lazyId, "obl", "oll", "omem", "events")).toEqual({
          ...{ obl: "0", oll: "1", omem: "100011", events: "rw" },
        })
        for (let i = 0; i < 20; i++) lazy.send("GET", "k")
        // Whoever reads nothing is not read from either.
        expect(yield* fields(client, lazyId, "events")).toEqual({ events: "w" })
        lazy.peer.setPaused(false)
        yield* Effect.promise(lazy.receive)
        expect(yield* fields(client, lazyId, "omem", "events")).toEqual({ omem: "0", events: "r" })
      }),
    ),
  )

  it.effect("counts no requests of a transaction that will not run", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const other = yield* connect
        const id = yield* idOf(other)
        yield* run(other, "WATCH", "k")
        yield* run(other, "MULTI")
        yield* run(other, "GET", "k")
        expect(yield* fields(client, id, "multi", "multi-mem", "flags")).toEqual({
          ...{ multi: "1", "multi-mem": "4", flags: "x" },
        })
        yield* run(client, "SET", "k", "v")
        yield* run(other, "GET", "k")
        expect(yield* fields(client, id, "multi", "flags")).toEqual({ multi: "1", flags: "xd" })
      }),
    ),
  )

  it.effect("calls nobody idle who is sent a message, or has sent a part of a request", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const other = yield* connect
        const id = yield* idOf(other)
        yield* run(other, "SUBSCRIBE", "news")
        yield* TestClock.adjust("7 seconds")
        expect(yield* fields(client, id, "age", "idle")).toEqual({ age: "7", idle: "7" })
        yield* run(client, "PUBLISH", "news", "paper")
        yield* Effect.promise(other.receive)
        expect(yield* fields(client, id, "age", "idle")).toEqual({ age: "7", idle: "0" })
        yield* TestClock.adjust("2 seconds")
        other.sendRaw("*1\r\n$4")
        expect(yield* fields(client, id, "age", "idle")).toEqual({ age: "9", idle: "0" })
      }),
    ),
  )
})
