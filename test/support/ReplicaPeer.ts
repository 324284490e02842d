/** A replica of the server under test, played by the test: what it sends, and what it has been sent. */
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import type * as Reply from "../../src/codec/Reply.ts"
import { request } from "../../src/persistence/log/LogText.ts"
import { MemoryConnector } from "../../src/socket/MemorySocket.ts"
import { run, type TestClient } from "./TestServer.ts"

export const settings = { replDisklessSyncDelay: 0 } as const

/** The other end of a replica's connection. */
export const attach = (...requests: ReadonlyArray<ReadonlyArray<string>>) =>
  Effect.map(MemoryConnector, (connector) => {
    const peer = connector.connect()
    let received = ""
    let closed = false
    peer.onData((bytes) => {
      received += bytes
    })
    peer.onClosed(() => {
      closed = true
    })
    const send = (...argv: ReadonlyArray<string>) => peer.write(request(argv))
    for (const argv of requests) send(...argv)
    return {
      send,
      peer,
      isClosed: () => closed,
      received: () => received,
      /** What has come since the last time. */
      take: () => {
        const taken = received
        received = ""
        return taken
      },
    }
  })
export type Peer = Effect.Effect.Success<ReturnType<typeof attach>>

/** Some turns of the event loop, in which what does not wait for time is done. */
export const turns = Effect.promise(async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
})
export const seconds = (count: number) => Effect.zipRight(TestClock.adjust(`${count} seconds`), turns)

/** A replica that has taken its snapshot. */
export const online = Effect.gen(function* () {
  const replica = yield* attach(["REPLCONF", "listening-port", "7000", "capa", "eof", "capa", "psync2"])
  replica.take()
  replica.send("PSYNC", "?", "-1")
  yield* turns
  const { id, offset } = fullResync(replica)
  replica.take()
  replica.send("REPLCONF", "ACK", String(offset))
  return { ...replica, id, offset }
})

export const fullResync = (replica: Peer) => {
  const [, id, offset] = /^\n*\+FULLRESYNC ([0-9a-f]{40}) (\d+)\r\n/.exec(replica.received())!
  return { id: id!, offset: Number(offset) }
}

export const text = (reply: Reply.Reply): string =>
  reply._tag === "Bulk" || reply._tag === "Verbatim" ? reply.value : ""
export const info = (client: TestClient, section: string) => Effect.map(run(client, "INFO", section), text)
export const field = (client: TestClient, section: string, name: string) =>
  Effect.map(info(client, section), (found) => new RegExp(`^${name}:(.*)\r$`, "m").exec(found)?.[1])
