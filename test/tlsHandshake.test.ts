/** What a handshake under TLS that fails or never ends does to its own connection and to others. */
import { once } from "node:events"
import * as net from "node:net"
import { networkInterfaces } from "node:os"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Reply from "../src/codec/Reply.ts"
import type { TestClient } from "./support/TestServer.ts"
import * as Tls from "./support/Tls.ts"
import { served, servedLive } from "./support/TlsServer.ts"

describe("a handshake", () => {
  /** When each of them was closed. */
  const closings = new WeakMap<net.Socket, Promise<unknown>>()
  const closed = (socket: net.Socket) => Effect.promise(() => closings.get(socket)!)
  const connectPlain = (port: number): net.Socket => {
    const socket = net
      .connect(port, "127.0.0.1")
      .on("error", () => {})
      .resume()
    closings.set(socket, new Promise((resolve) => socket.once("close", resolve)))
    return socket
  }
  /** A peer that speaks no TLS, once the server knows it. */
  const openPlain = (port: number, client: TestClient, others: number) =>
    Effect.promise(async () => {
      const socket = connectPlain(port)
      await once(socket, "connect")
      while ((await clients(client)) <= others);
      return socket
    })
  const clients = async (client: TestClient): Promise<number> => {
    const reply = await client.run("CLIENT", "LIST")
    return "value" in reply ? `${reply.value}`.trimEnd().split("\n").length : 0
  }
  /** Until the server has noticed. */
  const untilOnly = (client: TestClient, count: number) =>
    Effect.promise(async () => {
      while ((await clients(client)) !== count);
    })

  it.effect("that fails is told of and ends only its own connection", () =>
    served(({ port, connect, log }) =>
      Effect.gen(function* () {
        const client = yield* Effect.promise(() => connect())
        for (const said of ["PING\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03garbage", "\0".repeat(70_000)]) {
          const socket = yield* openPlain(port, client, 1)
          socket.write(said, "latin1")
          socket.end()
          yield* closed(socket)
        }
        yield* untilOnly(client, 1)
        expect(log).toHaveLength(3)
        expect(log[0]).toMatch(
          /^A TLS handshake failed: wrong version number \(addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:\d+\)$/,
        )
        client.destroy()
      }),
    ),
  )

  it.effect("that a peer leaves or resets in the middle leaves nothing behind", () =>
    served(({ port, connect, log }) =>
      Effect.gen(function* () {
        const client = yield* Effect.promise(() => connect())
        const [left, reset] = [yield* openPlain(port, client, 1), yield* openPlain(port, client, 2)]
        left.end("\x16\x03\x01", "latin1")
        yield* closed(left)
        reset.resetAndDestroy()
        yield* untilOnly(client, 1)
        expect(log).toHaveLength(2)
        client.destroy()
      }),
    ),
  )

  it.effect("that does not end is given up after a minute", () =>
    served(({ port, connect, log }) =>
      Effect.gen(function* () {
        const client = yield* Effect.promise(() => connect())
        const silent = yield* openPlain(port, client, 1)
        yield* TestClock.adjust("59 seconds")
        expect(yield* Effect.promise(() => clients(client))).toBe(2)
        yield* TestClock.adjust("1 second")
        yield* closed(silent)
        yield* untilOnly(client, 1)
        expect(log).toHaveLength(1)
        expect(log[0]).toMatch(/^A TLS handshake failed: it took too long/)
        client.destroy()
      }),
    ),
  )

  it.effect("counts as a client: timeout, CLIENT KILL and maxclients apply", () =>
    served(
      ({ port, connect }) =>
        Effect.gen(function* () {
          const client = yield* Effect.promise(() => connect())
          const [idle, killed] = [yield* openPlain(port, client, 1), yield* openPlain(port, client, 2)]
          // No room for more, which it cannot be told.
          const refused = connectPlain(port)
          let heard = ""
          refused.on("data", (chunk) => void (heard += chunk))
          yield* closed(refused)
          expect(heard).toBe("")
          const info = yield* Effect.promise(() => client.run("INFO", "stats"))
          expect("value" in info && info.value).toContain("rejected_connections:1\r\n")
          const address = `127.0.0.1:${killed.localPort}`
          expect(yield* Effect.promise(() => client.run("CLIENT", "KILL", address))).toEqual(Reply.ok)
          yield* closed(killed)
          yield* Effect.promise(() => client.run("CONFIG", "SET", "timeout", "5"))
          yield* TestClock.adjust("4 seconds")
          yield* Effect.promise(() => client.run("PING"))
          yield* TestClock.adjust("2 seconds")
          yield* closed(idle)
          expect(yield* Effect.promise(() => clients(client))).toBe(1)
          client.destroy()
        }),
      { maxclients: 3 },
    ),
  )

  it.effect("under way does not keep a server that stops", () =>
    Effect.gen(function* () {
      const silent = yield* served(({ port, connect }) =>
        Effect.gen(function* () {
          const client = yield* Effect.promise(() => connect())
          return yield* openPlain(port, client, 1)
        }),
      )
      yield* closed(silent)
    }),
  )
})

const ownAddress = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address

it.skipIf(ownAddress === undefined)("protected-mode tells strangers so, once hands have been shaken", () =>
  servedLive(
    async ({ port, connect }) => {
      const said = async () => {
        const { socket } = Tls.open(port, { socket: net.connect(port, ownAddress) })
        let heard = ""
        socket.on("data", (chunk: Buffer) => {
          heard += chunk.latin1Slice()
          if (!heard.startsWith("-DENIED")) socket.end()
        })
        socket.write("PING\r\n")
        await once(socket, "close")
        return heard
      }
      expect(await said()).toMatch(/^-DENIED [^\n]*\r\n$/)
      const client = await connect()
      await client.run("CONFIG", "SET", "requirepass", "secret")
      expect(await said()).toMatch(/^-NOAUTH /)
      await client.run("AUTH", "secret")
      client.destroy()
    },
    { bind: ["*"] },
  ).pipe(Effect.runPromise),
)
