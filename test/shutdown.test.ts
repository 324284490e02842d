/**
 * What SHUTDOWN promises about the data: nothing that was acknowledged is missing from the last snapshot, and where that cannot be
 * written the server stays, as redis-server does. That it ends a launched server is in embedding.test.ts.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"
import * as Reply from "../src/codec/Reply.ts"
import { Shutdown } from "../src/command/Shutdown.ts"
import type { Config, Values } from "../src/config/Config.ts"
import { InvalidArgument } from "../src/errors/CommandError.ts"
import * as Files from "../src/persistence/Files.ts"
import { type Change, Persistence } from "../src/persistence/Persistence.ts"
import type { ScriptEngine } from "../src/scripting/ScriptEngine.ts"
import * as Server from "../src/Server.ts"
import * as Signals from "../src/Signals.ts"
import { FailingDisk, noFaults } from "./support/FailingDisk.ts"
import { connect, run, type TestClient } from "./support/TestServer.ts"

const refused = Reply.failure(new InvalidArgument("Errors trying to SHUTDOWN. Check logs."))
const asked = Effect.flatMap(Shutdown, ({ requested }) => requested)
const savePoints: Values["save"] = [{ seconds: 900, changes: 1 }]

/** Runs a server on this disk from its start to its end. */
const onDisk = <A, E>(
  disk: FailingDisk,
  options: Partial<Values>,
  body: (client: TestClient) => Effect.Effect<A, E, Shutdown | Config | Persistence | ScriptEngine>,
) =>
  Effect.flatMap(connect, body).pipe(
    Effect.provide(
      Server.layerTest({ dir: "/tmp", save: savePoints, ...options }, { persistence: Files.layer() }).pipe(
        Layer.provide(disk.layer),
      ),
    ),
    Effect.provide(Logger.remove(Logger.defaultLogger)),
  )

/** What a server finds that starts with these files. */
const found = (disk: FailingDisk, key: string) => onDisk(disk, {}, (client) => run(client, "GET", key))

describe("SHUTDOWN", () => {
  it.effect.each([
    { words: "", refused: true },
    { words: "NOW", refused: true },
    { words: "SAVE", refused: true },
    { words: "SAVE NOW", refused: true },
    { words: "NOSAVE", refused: false },
    { words: "FORCE", refused: false },
    { words: "SAVE FORCE", refused: false },
  ])("$words on a full disk: refused $refused, and then the server goes on and loses nothing", (form) => {
    const disk = new FailingDisk(1)
    return Effect.gen(function* () {
      yield* onDisk(disk, {}, (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "k", "v")
          disk.faults = { ...noFaults, space: 10 }
          client.send("SHUTDOWN", ...form.words.split(" ").filter((word) => word !== ""))
          if (!form.refused) return yield* asked
          expect(yield* Effect.promise(client.receive)).toEqual(refused)
          expect(yield* run(client, "SET", "other", "v")).toEqual(Reply.ok)
          expect(yield* run(client, "GET", "k")).toEqual(Reply.bulk("v"))
          disk.faults = noFaults
          client.send("SHUTDOWN")
          yield* asked
        }),
      )
      disk.faults = noFaults
      expect(yield* found(disk.afterKill(), "k")).toEqual(form.refused ? Reply.bulk("v") : Reply.nil)
    })
  })

  it.effect.each([
    { words: ["SAVE"], save: [], kept: true },
    { words: ["NOSAVE"], save: savePoints, kept: false },
    { words: [], save: savePoints, kept: true },
    { words: [], save: [], kept: false },
  ])("$words with save points $save: kept $kept", ({ words, save, kept }) => {
    const disk = new FailingDisk(2)
    return Effect.gen(function* () {
      yield* onDisk(disk, { save }, (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "k", "v")
          client.send("SHUTDOWN", ...words)
          yield* asked
        }),
      )
      expect(yield* found(disk.afterPowerCut(), "k")).toEqual(kept ? Reply.bulk("v") : Reply.nil)
    })
  })

  it.effect("while a snapshot is written in the background gives that up and writes one of now", () => {
    const disk = new FailingDisk(3)
    return Effect.gen(function* () {
      yield* onDisk(disk, {}, (client) =>
        Effect.gen(function* () {
          client.send("BGSAVE")
          client.send("SET", "k", "v")
          client.send("SHUTDOWN")
          yield* asked
        }),
      )
      expect(yield* found(disk.afterPowerCut(), "k")).toEqual(Reply.bulk("v"))
    })
  })

  it.effect("serves nobody while the last snapshot is written, also when its client is gone", () =>
    Effect.gen(function* () {
      const written = yield* Deferred.make<void>()
      const log: Array<Change> = []
      const persistence = Layer.map(Persistence.layerMemory(log), (context) =>
        Context.make(Persistence, {
          ...Context.get(context, Persistence),
          saveBeforeEnd: () => Deferred.await(written),
        }),
      )
      yield* Effect.gen(function* () {
        const [client, other] = [yield* connect, yield* connect]
        client.send("SHUTDOWN", "SAVE")
        client.destroy()
        other.send("SET", "k", "too late")
        yield* TestClock.adjust("1 minute")
        expect(other.arrived()).toEqual([])
        yield* Deferred.succeed(written, undefined)
        yield* asked
        expect(other.arrived()).toEqual([])
        expect(log).toEqual([])
      }).pipe(Effect.provide(Server.layerTest({}, { persistence })))
    }),
  )
})

describe("a signal", () => {
  const noExit = () => expect.unreachable("it ends the process")

  it.effect.each([
    { words: "default", save: savePoints, kept: true },
    { words: "nosave", save: savePoints, kept: false },
    { words: "default", save: [], kept: false },
    { words: "save", save: [], kept: true },
  ])("that means $words with save points $save ends the server: kept $kept", ({ words, save, kept }) => {
    const disk = new FailingDisk(2)
    return Effect.gen(function* () {
      yield* onDisk(disk, { save }, (client) =>
        Effect.gen(function* () {
          const receive = yield* Signals.handler(noExit)
          yield* run(client, "SET", "k", "v")
          expect(yield* run(client, "CONFIG", "SET", "shutdown-on-sigint", words)).toEqual(Reply.ok)
          expect(receive("SIGINT")).toBe(true)
          yield* asked
        }),
      )
      expect(yield* found(disk.afterPowerCut(), "k")).toEqual(kept ? Reply.bulk("v") : Reply.nil)
    })
  })

  it.effect("is not obeyed where SHUTDOWN is refused, unless its setting says force", () => {
    const disk = new FailingDisk(1)
    return onDisk(disk, {}, (client) =>
      Effect.gen(function* () {
        const receive = yield* Signals.handler(noExit)
        yield* run(client, "SET", "k", "v")
        disk.faults = { ...noFaults, space: 10 }
        expect(receive("SIGTERM")).toBe(true)
        expect(yield* run(client, "GET", "k")).toEqual(Reply.bulk("v"))
        const stop = yield* Shutdown
        expect(stop.askedBy).toBe("SHUTDOWN")
        yield* run(client, "CONFIG", "SET", "shutdown-on-sigterm", "force")
        expect(receive("SIGTERM")).toBe(true)
        yield* asked
        expect(stop.askedBy).toBe("a signal")
      }),
    )
  })

  it.effect("that comes again while the server stops changes nothing, but for SIGINT, which ends the process", () => {
    const told: Array<string> = []
    return onDisk(new FailingDisk(1), { rdbKeySaveDelay: 1_000_000 }, (client) =>
      Effect.gen(function* () {
        const receive = yield* Signals.handler(() => void told.push("exit"))
        yield* run(client, "SET", "k", "v")
        for (const signal of ["SIGTERM", "SIGTERM", "SIGINT"] as const) told.push(`${signal} ${receive(signal)}`)
        expect(told).toEqual(["SIGTERM true", "SIGTERM true", "exit", "SIGINT true"])
      }),
    )
  })
})
