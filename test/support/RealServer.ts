/**
 * The installed redis-server as an oracle: starts one on a free port with nothing persisted, connects to it, and stops it.
 * Where it is not installed, `isInstalled` is false and the tests that need it are reported as skipped.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeClient, type TestClient } from "./TestServer.ts"

export const isInstalled = spawnSync("redis-server", ["--version"]).status === 0

export interface RealServer {
  readonly port: number
  readonly directory: string
  readonly connect: () => Promise<TestClient>
  readonly stop: () => Promise<void>
}

/** A port that nobody listens on. */
export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = net.createServer()
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo
      server.close(() => resolve(port))
    })
  })

/** A client over TCP. */
export const connectTcp = (port: number): Promise<TestClient> =>
  new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1")
    socket.setNoDelay(true)
    socket.once("error", reject)
    socket.once("connect", () => {
      socket.off("error", reject)
      socket.on("error", () => {})
      resolve(
        makeClient({
          write: (bytes) => socket.write(bytes, "latin1"),
          end: () => socket.end(),
          destroy: () => socket.destroy(),
          onData: (listener) => socket.on("data", (chunk) => listener(chunk.latin1Slice())),
          onClosed: (listener) => socket.once("close", listener),
        }),
      )
    })
  })

export const start = async (options: ReadonlyArray<string> = []): Promise<RealServer> => {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), "tiny-redis-oracle-"))
  const base = ["--port", String(port), "--save", "", "--dir", directory, "--enable-debug-command", "yes"]
  const child: ChildProcess = spawn("redis-server", [...base, ...options], { stdio: "ignore" })
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const connect = async (): Promise<TestClient> => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await connectTcp(port)
      } catch (error) {
        if (attempt > 200) throw error
        await new Promise((resolve) => setTimeout(resolve, 25))
      }
    }
  }
  const first = await connect()
  await first.run("PING")
  first.destroy()
  return {
    port,
    directory,
    connect,
    stop: async () => {
      child.kill("SIGKILL")
      await exited
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
