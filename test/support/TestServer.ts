/**
 * A server in memory for tests, and clients to talk to it: `run("set", "k", "v")` sends a request and waits for its reply,
 * which is then a synchronisation point. Time is the `TestClock`'s.
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import type { Reply } from "../../src/codec/Reply.ts"
import type { Values } from "../../src/config/Config.ts"
import { request as encodeRequest } from "../../src/persistence/log/LogText.ts"
import * as Server from "../../src/Server.ts"
import { MemoryConnector, type MemoryPeer } from "../../src/socket/MemorySocket.ts"
import { ReplyParser } from "./ReplyParser.ts"

/** One client connection, over whatever carries bytes. */
export interface TestClient {
  /** Sends a request without waiting. */
  readonly send: (...argv: ReadonlyArray<string>) => void
  /** Sends bytes as they are. */
  readonly sendRaw: (bytes: string) => void
  /** The next reply or pushed message. */
  readonly receive: () => Promise<Reply>
  /** Sends a request and waits for its reply. */
  readonly run: (...argv: ReadonlyArray<string>) => Promise<Reply>
  /** What has arrived and not been received. */
  readonly arrived: () => ReadonlyArray<Reply>
  /** Half-closes. */
  readonly end: () => void
  readonly destroy: () => void
  /** Ends when the server has closed the connection. */
  readonly closed: Promise<void>
  readonly isClosed: () => boolean
}

/** The parts of a byte pipe a client is made of. */
export interface Pipe {
  readonly write: (bytes: string) => void
  readonly end: () => void
  readonly destroy: () => void
  readonly onData: (listener: (bytes: string) => void) => void
  readonly onClosed: (listener: () => void) => void
}

export const makeClient = (pipe: Pipe): TestClient => {
  const parser = new ReplyParser()
  const arrived: Array<Reply> = []
  const waiting: Array<{ readonly resolve: (reply: Reply) => void; readonly reject: (error: Error) => void }> = []
  let closed = false
  pipe.onData((bytes) => {
    parser.push(bytes)
    for (const reply of parser.drain()) {
      const waiter = waiting.shift()
      if (waiter === undefined) arrived.push(reply)
      else waiter.resolve(reply)
    }
  })
  const closing = new Promise<void>((resolve) =>
    pipe.onClosed(() => {
      closed = true
      for (const { reject } of waiting.splice(0)) reject(new Error("the connection was closed before the reply"))
      resolve()
    }),
  )
  const send = (...argv: ReadonlyArray<string>) => pipe.write(encodeRequest(argv))
  const receive = () =>
    new Promise<Reply>((resolve, reject) => {
      const reply = arrived.shift()
      if (reply !== undefined) resolve(reply)
      else if (closed) reject(new Error("the connection is closed"))
      else waiting.push({ resolve, reject })
    })
  return {
    send,
    sendRaw: pipe.write,
    receive,
    run: (...argv) => {
      send(...argv)
      return receive()
    },
    arrived: () => arrived,
    end: pipe.end,
    destroy: pipe.destroy,
    closed: closing,
    isClosed: () => closed,
  }
}

/** A new client of the server in this context. */
export const connect: Effect.Effect<TestClient & { readonly peer: MemoryPeer }, never, MemoryConnector> = Effect.map(
  MemoryConnector,
  (connector) => {
    const peer = connector.connect()
    return { ...makeClient(peer), peer }
  },
)

/** Where the virtual clock begins: at 0, times that are long past in the real world would lie ahead. */
export const startTimeMs = Date.UTC(2024, 0, 1)

/** Runs `self` with the virtual clock at `startTimeMs`. */
export const atStartTime = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.zipRight(TestClock.setTime(startTimeMs), self)

/**
 * Settings that tests want: no snapshots by themselves, DEBUG allowed. `KEYSPACE=bytes npm test` runs everything over the inside of
 * that name.
 */
export const testSettings = {
  enableDebugCommand: "yes",
  save: [],
  ...(process.env["KEYSPACE"] === "bytes" ? { keyspace: "bytes" } : {}),
} satisfies Partial<Values>

/** The server in memory, as `Server.layerTest`, with the settings of tests. */
export const layer = (options: Partial<Values> = {}) => Server.layerTest({ ...testSettings, ...options })

/** Runs `body` with a server of its own and its first client. */
export const withServer = <A, E>(
  body: (client: TestClient) => Effect.Effect<A, E, Layer.Layer.Success<ReturnType<typeof layer>>>,
  options: Partial<Values> = {},
) => Effect.flatMap(connect, body).pipe(Effect.provide(layer(options)), atStartTime)

/** `client.run` as an effect. */
export const run = (client: TestClient, ...argv: ReadonlyArray<string>) => Effect.promise(() => client.run(...argv))
