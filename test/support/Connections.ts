/** What the tests of connections share: what is alive, what a server sends, and what INFO says. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Effect from "effect/Effect"
import type * as Reply from "../../src/codec/Reply.ts"
import { connect, run, type TestClient } from "./TestServer.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

/** What is alive, after a collection. */
export const heapBytes = Effect.sync(() => {
  collectGarbage()
  return process.memoryUsage().heapUsed
})

/** Lets everything that is ready to run do so, without time passing. */
export const settle = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** The next `count` replies. */
export const receive = (client: TestClient, count: number) =>
  Effect.promise(async () => {
    const replies: Array<Reply.Reply> = []
    while (replies.length < count) replies.push(await client.receive())
    return replies
  })

/** Everything the server sends on a connection of its own that gets these pieces, as text. */
export const conversation = (pieces: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { peer } = yield* connect
    let said = ""
    peer.onData((bytes) => (said += bytes))
    for (const piece of pieces) peer.write(piece)
    yield* settle
    peer.destroy()
    return said
  })

/** What INFO says about `name`. */
export const info = (client: TestClient, name: string) =>
  Effect.map(run(client, "INFO", "everything"), (reply) => {
    const text = reply._tag === "Bulk" || reply._tag === "Verbatim" ? reply.value : ""
    return new RegExp(`^${name}:(.*?)\r?$`, "m").exec(text)?.[1]
  })
