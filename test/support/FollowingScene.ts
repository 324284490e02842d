/** A server that follows a master whom the test plays. */
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type { Values } from "../../src/config/Config.ts"
import * as Files from "../../src/persistence/Files.ts"
import { type Change, Persistence } from "../../src/persistence/Persistence.ts"
import * as Server from "../../src/Server.ts"
import type { Store } from "../../src/store/Store.ts"
import type { MemoryConnector } from "../../src/socket/MemorySocket.ts"
import type { FailingDisk } from "./FailingDisk.ts"
import * as Master from "./ScriptedMaster.ts"
import { atStartTime, connect, run, type TestClient, testSettings } from "./TestServer.ts"

export type Play = ReturnType<typeof Master.make>

export interface Scene {
  readonly client: TestClient
  readonly master: Play
  /** What the server has told its operator. */
  readonly told: ReadonlyArray<string>
  /** What it has kept. */
  readonly changes: Array<Change>
}

/** A server whose master the test is, once it has been told to follow. With a disk it keeps files there, and notes no `changes`. */
export const scene = (
  body: (scene: Scene) => Effect.Effect<void, never, MemoryConnector | Store>,
  options: Partial<Values> = {},
  disk?: FailingDisk,
): Effect.Effect<void, unknown> => {
  const master = Master.make()
  const told: Array<string> = []
  const changes: Array<Change> = []
  const logger = Logger.make(({ message }) => void told.push(String(message)))
  const persistence =
    disk === undefined ? Persistence.layerMemory(changes) : Files.layer().pipe(Layer.provide(disk.layer))
  const server = Server.layerTest(
    { ...testSettings, ...(disk === undefined ? {} : { dir: "/tmp" }), ...options },
    { connector: master.layer, persistence },
  )
  return Effect.flatMap(connect, (client) => body({ client, master, told, changes })).pipe(
    Effect.provide(Layer.provideMerge(server, Logger.replace(Logger.defaultLogger, logger))),
    atStartTime,
  )
}

export const follow = ({ client, master }: Scene) =>
  Effect.zipRight(run(client, "REPLICAOF", "master.example", "7000"), master.connection)

/** Follows, and gets all of the data. */
export const synced = (on: Scene, keys: Readonly<Record<string, string>>, offset = 100, deadlines = {}) =>
  Effect.gen(function* () {
    const end = yield* follow(on)
    yield* end.greet
    end.say(Master.fullSync(Master.snapshot(keys, deadlines), offset))
    expect(yield* end.request).toEqual(["REPLCONF", "ACK", String(offset)])
    return end
  })

export const text = (client: TestClient, ...argv: ReadonlyArray<string>) =>
  Effect.map(run(client, ...argv), (reply) =>
    reply._tag === "Bulk" || reply._tag === "Verbatim"
      ? reply.value
      : reply._tag === "Failure"
        ? `${reply.code} ${reply.message}`
        : reply._tag,
  )
export const info = (client: TestClient, field: string) =>
  Effect.map(text(client, "INFO", "replication"), (all) => new RegExp(`^${field}:(.*?)\r?$`, "m").exec(all)?.[1])
export const role = (client: TestClient) =>
  Effect.map(run(client, "ROLE"), (reply) => (reply._tag === "Array" ? reply.values.slice(3) : reply))
