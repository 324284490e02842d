/**
 * Where a server listens: CONFIG SET port and bind move a running one, which keeps its connections and stays where it was
 * after a failure; and without a password strangers are refused.
 */
import { once } from "node:events"
import * as net from "node:net"
import { networkInterfaces } from "node:os"
import { expect, it } from "vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Server from "../src/Server.ts"
import { Listener } from "../src/socket/Listener.ts"
import { Socket } from "../src/socket/Socket.ts"
import { connectTcp, freePort } from "./support/RealServer.ts"
import type { TestClient } from "./support/TestServer.ts"

const withServer = (test: (listener: Listener["Type"]) => Promise<void>): Promise<void> =>
  Effect.flatMap(Listener, (listener) => Effect.promise(() => test(listener))).pipe(
    Effect.provide(Server.layer({ port: 0, save: [], bind: ["127.0.0.1"] })),
    // What the server says about a refused address is for the person who runs it.
    Logger.withMinimumLogLevel(LogLevel.None),
    Effect.runPromise,
  )

/** What INFO says. */
const tcpPort = async (client: TestClient): Promise<number> => {
  const info = await client.run("INFO", "server")
  return Number("value" in info && /tcp_port:(\d+)/.exec(String(info.value))?.[1])
}

it("CONFIG SET port moves the server and keeps its connections", () =>
  withServer(async (listener) => {
    const before = listener.port
    const client = await connectTcp(before)
    // Although it was started with port 0.
    expect(await tcpPort(client)).toBe(before)
    const port = await freePort()
    expect(await client.run("CONFIG", "SET", "port", `${port}`, "timeout", "7")).toMatchObject({ value: "OK" })
    expect(listener.addresses).toEqual([`127.0.0.1:${port}`])
    const other = await connectTcp(port)
    expect(await other.run("CONFIG", "GET", "timeout")).toMatchObject({ values: [{}, { value: "7" }] })
    expect(await tcpPort(other)).toBe(port)
    expect(await client.run("PING")).toMatchObject({ value: "PONG" })
    await expect(connectTcp(before)).rejects.toThrow("ECONNREFUSED")
    client.destroy()
    other.destroy()
  }))

it("CONFIG SET port to a taken one is refused as a whole, and the server listens where it did", () =>
  withServer(async (listener) => {
    const taken = net.createServer().listen(0, "127.0.0.1")
    await once(taken, "listening")
    const client = await connectTcp(listener.port)
    const { port } = taken.address() as net.AddressInfo
    expect(await client.run("CONFIG", "SET", "timeout", "7", "port", `${port}`)).toMatchObject({
      code: "ERR",
      message:
        "CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.",
    })
    expect(await client.run("CONFIG", "GET", "timeout")).toMatchObject({ values: [{}, { value: "0" }] })
    const other = await connectTcp(listener.port)
    expect(await other.run("PING")).toMatchObject({ value: "PONG" })
    client.destroy()
    other.destroy()
    taken.close()
  }))

it("CONFIG SET bind adds and takes away addresses, and an impossible one changes nothing", () =>
  withServer(async (listener) => {
    const { port } = listener
    const client = await connectTcp(port)
    const bind = (addresses: string) => client.run("CONFIG", "SET", "bind", addresses)
    expect(await bind("127.0.0.1 127.0.0.2")).toMatchObject({ value: "OK" })
    expect(listener.addresses).toEqual([`127.0.0.1:${port}`, `127.0.0.2:${port}`])
    expect(await bind("1.2.3.4")).toMatchObject({
      message: "CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.",
    })
    expect(listener.addresses).toEqual([`127.0.0.1:${port}`, `127.0.0.2:${port}`])
    expect(await bind("*")).toMatchObject({ value: "OK" })
    expect(listener.addresses).toEqual([`0.0.0.0:${port}`])
    expect(await bind("")).toMatchObject({ value: "OK" })
    expect(listener.addresses).toEqual([])
    expect(await bind("-1.2.3.4 127.0.0.1")).toMatchObject({ value: "OK" })
    expect(listener.addresses).toEqual([`127.0.0.1:${port}`])
    client.destroy()
  }))

const ownAddress = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address

it.skipIf(ownAddress === undefined)("protected-mode refuses clients of other machines until there is a password", () =>
  withServer(async (listener) => {
    const client = await connectTcp(listener.port)
    await client.run("CONFIG", "SET", "bind", "*")
    const said = (): Promise<string> =>
      new Promise((resolve) => {
        const socket = net.connect(listener.port, ownAddress)
        socket.on("data", (chunk) => {
          resolve(`${chunk}`)
          socket.destroy()
        })
        socket.on("error", () => {})
        socket.write("PING\r\n")
      })
    expect(await said()).toMatch(/^-DENIED .*\r\n$/)
    await client.run("CONFIG", "SET", "requirepass", "secret")
    expect(await said()).toMatch(/^-NOAUTH /)
    await client.run("CONFIG", "SET", "requirepass", "", "protected-mode", "no")
    expect(await said()).toBe("+PONG\r\n")
    client.destroy()
  }),
)

it("who connects while the server is still put together is served when it is", () =>
  Effect.gen(function* () {
    const socket = yield* Socket
    const client = yield* Effect.promise(() => connectTcp(socket.port))
    // The system has accepted it; now the event loop does.
    for (let i = 0; i < 10; i++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    yield* socket.accept((transport) => {
      transport.start({
        data: () => {},
        filled: () => {},
        room: () => undefined,
        lookAhead: () => {},
        serve: () => {},
        flush: () => {},
        end: () => {},
        closed: () => {},
        drain: () => {},
      })
      transport.write("+welcome\r\n")
      transport.end()
    })
    expect(yield* Effect.promise(client.receive)).toMatchObject({ value: "welcome" })
  }).pipe(
    Effect.provide(Socket.layerNet({ port: 0, bind: ["127.0.0.1"], backlog: 8, keepAliveSeconds: () => 0 })),
    Effect.scoped,
    Effect.runPromise,
  ))

it.each([{ bind: [] }, { bind: ["-203.0.113.1"] }])(
  "a start with nowhere to listen is refused: %j",
  async ({ bind }) => {
    const start = Layer.build(Socket.layerNet({ port: 0, bind, backlog: 8, keepAliveSeconds: () => 0 }))
    const refused = await Effect.runPromise(Effect.scoped(Effect.flip(start)))
    expect(refused.message).toBe("There is nowhere to listen: neither bind nor unixsocket names an address")
  },
)
