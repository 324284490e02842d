/** WAITAOF: who changed something is told when it has been synced. WAIT, which has no replicas to wait for, is in the transcripts. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Reply from "../src/codec/Reply.ts"
import type { Values } from "../src/config/Config.ts"
import * as FileSystem from "../src/persistence/disk/FileSystem.ts"
import * as Files from "../src/persistence/Files.ts"
import * as Server from "../src/Server.ts"
import { FailingDisk } from "./support/FailingDisk.ts"
import { connect, run, type TestClient, testSettings } from "./support/TestServer.ts"

/** What WAITAOF answers: whether the log has it, and that no replica has. */
const acknowledged = (local: 0 | 1) => Reply.array([Reply.int(local), Reply.int(0)])

const everySecond = { save: [], appendonly: true, appendfsync: "everysec" } as const

const withLog = <A, E>(
  settings: Partial<Values>,
  body: (client: TestClient, other: TestClient) => Effect.Effect<A, E>,
) =>
  Effect.flatMap(Effect.all([connect, connect]), ([client, other]) => body(client, other)).pipe(
    Effect.provide(
      Server.layerTest(
        { ...testSettings, dir: "/tmp", ...everySecond, ...settings },
        { persistence: Files.layer() },
      ).pipe(Layer.provide(Layer.succeed(FileSystem.FileSystem, new FailingDisk(1).service))),
    ),
  )

const received = (client: TestClient) => Effect.promise(client.receive)

describe("WAITAOF", () => {
  it.effect("answers when a sync has covered what the client changed, and at once whoever changed nothing", () =>
    withLog({}, (client, other) =>
      Effect.gen(function* () {
        yield* run(client, "SET", "k", "v")
        expect(yield* run(client, "WAITAOF", "0", "0", "0")).toEqual(acknowledged(0))
        expect(yield* run(other, "WAITAOF", "1", "0", "0")).toEqual(acknowledged(1))
        client.send("WAITAOF", "1", "0", "0")
        yield* run(other, "PING")
        expect(client.arrived()).toEqual([])
        yield* TestClock.adjust("1 second")
        expect(yield* received(client)).toEqual(acknowledged(1))
      }),
    ),
  )

  it.effect("tells how far it came when time is up, and does not wait in a transaction", () =>
    withLog({}, (client) =>
      Effect.gen(function* () {
        yield* run(client, "MULTI")
        yield* run(client, "SET", "k", "v")
        yield* run(client, "WAITAOF", "1", "0", "0")
        expect(yield* run(client, "EXEC")).toEqual(Reply.array([Reply.ok, acknowledged(1)]))
        client.send("WAITAOF", "1", "0", "300")
        yield* TestClock.adjust("300 millis")
        expect(yield* received(client)).toEqual(acknowledged(0))
        client.send("WAITAOF", "1", "1", "2000")
        yield* TestClock.adjust("2 seconds")
        expect(yield* received(client)).toEqual(acknowledged(1))
      }),
    ),
  )

  it.effect("is answered at once under always, and never under no", () =>
    withLog({ appendfsync: "always" }, (client) =>
      Effect.gen(function* () {
        yield* run(client, "SET", "k", "v")
        expect(yield* run(client, "WAITAOF", "1", "0", "0")).toEqual(acknowledged(1))
        yield* run(client, "CONFIG", "SET", "appendfsync", "no")
        yield* run(client, "SET", "k", "w")
        client.send("WAITAOF", "1", "0", "5000")
        yield* TestClock.adjust("5 seconds")
        expect(yield* received(client)).toEqual(acknowledged(0))
      }),
    ),
  )

  it.effect("needs a log, also when there is none any more, and can be ended from outside", () =>
    withLog({ appendfsync: "no" }, (client, other) =>
      Effect.gen(function* () {
        const id = yield* run(client, "CLIENT", "ID")
        yield* run(client, "SET", "k", "v")
        client.send("WAITAOF", "1", "0", "0")
        yield* run(other, "CLIENT", "UNBLOCK", String((id as Reply.Int).value))
        expect(yield* received(client)).toEqual(acknowledged(0))
        client.send("WAITAOF", "1", "0", "0")
        yield* run(other, "CONFIG", "SET", "appendonly", "no")
        const refused = { _tag: "Failure", message: expect.stringContaining("appendonly is disabled") }
        expect(yield* received(client)).toMatchObject(refused)
        expect(yield* run(client, "WAITAOF", "1", "0", "0")).toMatchObject(refused)
        expect(yield* run(client, "WAITAOF", "0", "0", "0")).toEqual(acknowledged(0))
      }),
    ),
  )
})
