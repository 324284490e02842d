/** Connections that the server opens: where they come from. */
import * as net from "node:net"
import { expect, it } from "vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Config } from "../src/config/Config.ts"
import { Connector } from "../src/replication/link/Connector.ts"
import * as Connecting from "../src/socket/Connecting.ts"

/** The addresses a server sees that is connected to with each of these settings. */
const seenFrom = (...settings: ReadonlyArray<string>): Promise<ReadonlyArray<string | undefined>> =>
  Effect.gen(function* () {
    const seen: Array<string | undefined> = []
    const server = net.createServer((socket) => {
      seen.push(socket.remoteAddress)
      socket.end("x")
    })
    yield* Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
    const { port } = server.address() as net.AddressInfo
    const config = yield* Config
    const connector = yield* Connector
    for (const address of settings) {
      yield* config.set([["bind-source-addr", address]])
      const connection = yield* connector.connect("127.0.0.1", port)
      yield* Effect.async<void>((resume) => connection.start({ data: () => {}, closed: () => resume(Effect.void) }))
    }
    yield* Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
    return seen
  }).pipe(Effect.provide(Connecting.layer.pipe(Layer.provideMerge(Config.layer()))), Effect.runPromise)

// Addresses of the loopback device beside the first are Linux's.
it.runIf(process.platform === "linux")("come from bind-source-addr", async () => {
  expect(await seenFrom("127.0.0.2", "")).toEqual(["127.0.0.2", "127.0.0.1"])
})

it("come from where the system likes when the address is not this machine's, or none at all", async () => {
  expect(await seenFrom("203.0.113.1", "somewhere")).toEqual(["127.0.0.1", "127.0.0.1"])
})
