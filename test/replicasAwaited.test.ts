/** What a master does with its replicas in mind: it tells how many have what was written, waits for them, or refuses writes without them. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { request } from "../src/persistence/log/LogText.ts"
import { Shutdown } from "../src/command/Shutdown.ts"
import * as Farewell from "../src/replication/Farewell.ts"
import { connect, layer, run, withServer, type TestClient } from "./support/TestServer.ts"
import { settings, turns, seconds, online, text, field } from "./support/ReplicaPeer.ts"

describe("WAIT", () => {
  it.effect("asks the replicas, and tells how many have what the client changed", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const first = yield* online
          const second = yield* online
          yield* run(client, "SET", "k", "v")
          const end = Number(yield* field(client, "replication", "master_repl_offset"))
          const waited = client.run("WAIT", "2", "1000")
          yield* turns
          expect(first.take()).toContain(request(["REPLCONF", "GETACK", "*"]))
          first.send("REPLCONF", "ACK", String(end))
          second.send("REPLCONF", "ACK", String(end - 1))
          yield* turns
          expect(client.arrived()).toEqual([])
          second.send("REPLCONF", "ACK", String(end))
          expect(yield* Effect.promise(() => waited)).toMatchObject({ value: 2 })
          // Nothing has changed since.
          expect(yield* run(client, "WAIT", "2", "0")).toMatchObject({ value: 2 })
          yield* run(client, "SET", "k", "w")
          const late = client.run("WAIT", "2", "1000")
          yield* turns
          first.send("REPLCONF", "ACK", String(end + 100))
          yield* seconds(1)
          expect(yield* Effect.promise(() => late)).toMatchObject({ value: 1 })
        }),
      settings,
    ),
  )

  it.effect("WAITAOF asks for what they have on their disks, which those since 7.2 tell", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const replica = yield* online
          yield* run(client, "SET", "k", "v")
          const end = yield* field(client, "replication", "master_repl_offset")
          const waited = client.run("WAITAOF", "0", "1", "0")
          yield* turns
          replica.send("REPLCONF", "ACK", String(end))
          yield* turns
          expect(client.arrived()).toEqual([])
          replica.send("REPLCONF", "ACK", String(end), "FACK", String(end))
          expect(yield* Effect.promise(() => waited)).toMatchObject({ values: [{ value: 0 }, { value: 1 }] })
        }),
      settings,
    ),
  )

  it.effect("tells at once in a transaction", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          yield* online
          yield* run(client, "MULTI")
          yield* run(client, "SET", "k", "v")
          yield* run(client, "WAIT", "1", "0")
          expect(yield* run(client, "EXEC")).toMatchObject({ values: [{ value: "OK" }, { value: 1 }] })
        }),
      settings,
    ),
  )
})

describe("SHUTDOWN", () => {
  const stopping = (client: TestClient, ...words: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const { requested } = yield* Shutdown
      let stopped = false
      yield* Effect.fork(Effect.map(requested, () => (stopped = true)))
      const { id: _, ...replica } = yield* online
      yield* run(client, "SET", "k", "v")
      replica.take()
      client.send("SHUTDOWN", "NOSAVE", ...words)
      yield* turns
      return { replica, isStopped: () => stopped }
    })

  it.effect("waits until replicas have everything, and nothing is written meanwhile", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const { replica, isStopped } = yield* stopping(client)
          const other = yield* connect
          other.send("SET", "k", "w")
          expect(
            yield* Effect.map(connect, (third) => third.run("GET", "k")).pipe(
              Effect.flatMap((got) => Effect.promise(() => got)),
            ),
          ).toMatchObject({ value: "v" })
          expect([isStopped(), other.arrived()]).toEqual([false, []])
          // Two wait: for the replica, and for that to be over.
          const third = yield* connect
          expect(yield* field(third, "clients", "blocked_clients")).toBe("2")
          const list = text(yield* run(third, "CLIENT", "LIST"))
          expect(list).toMatch(/ flags=b .* cmd=shutdown /)
          const id = Number(/id=(\d+) .* cmd=shutdown /.exec(list)?.[1])
          expect(yield* run(third, "CLIENT", "UNBLOCK", String(id))).toMatchObject({ value: 0 })
          expect(replica.take()).toBe(request(["REPLCONF", "GETACK", "*"]))
          replica.send("REPLCONF", "ACK", "1000")
          yield* turns
          expect([isStopped(), other.arrived()]).toEqual([true, []])
        }),
      settings,
    ),
  )

  it.effect("waits no longer than shutdown-timeout, and not at all where it is to be NOW", () =>
    Effect.gen(function* () {
      yield* withServer(
        (client) =>
          Effect.gen(function* () {
            const { isStopped } = yield* stopping(client)
            yield* seconds(9)
            expect(isStopped()).toBe(false)
            expect(yield* field(yield* connect, "server", "shutdown_in_milliseconds")).toBe("1000")
            yield* seconds(1)
            expect(isStopped()).toBe(true)
          }),
        settings,
      )
      yield* withServer(
        (client) =>
          Effect.gen(function* () {
            const { isStopped } = yield* stopping(client, "NOW")
            expect(isStopped()).toBe(true)
          }),
        settings,
      )
    }),
  )

  it.effect("by a signal, waits likewise, and not a moment longer", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = Farewell.layer.pipe(Layer.provideMerge(layer(settings)))
      const context = yield* Layer.buildWithScope(server, scope)
      const { replica } = yield* Effect.gen(function* () {
        const { id: _, ...attached } = yield* online
        yield* run(yield* connect, "SET", "k", "v")
        return { replica: attached }
      }).pipe(Effect.provide(context))
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* turns
      expect(replica.isClosed()).toBe(false)
      replica.send("REPLCONF", "ACK", "1000")
      yield* Fiber.join(closing)
      expect(replica.isClosed()).toBe(true)
    }),
  )

  it.effect("can be called off while it waits", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const { isStopped } = yield* stopping(client)
          const other = yield* connect
          expect(yield* field(other, "server", "shutdown_in_milliseconds")).toBe("10000")
          expect(yield* run(other, "SHUTDOWN", "ABORT")).toMatchObject({ value: "OK" })
          expect(yield* Effect.promise(() => client.receive())).toMatchObject({
            message: "Errors trying to SHUTDOWN. Check logs.",
          })
          expect(yield* field(other, "clients", "blocked_clients")).toBe("0")
          expect(yield* field(other, "server", "shutdown_in_milliseconds")).toBe(undefined)
          expect(yield* run(other, "SET", "k", "w")).toMatchObject({ value: "OK" })
          expect(yield* run(other, "SHUTDOWN", "ABORT")).toMatchObject({ message: "No shutdown in progress." })
          yield* seconds(11)
          expect(isStopped()).toBe(false)
        }),
      settings,
    ),
  )
})

describe("min-replicas-to-write", () => {
  it.effect("refuses writes with fewer replicas that have been heard of lately", () =>
    withServer(
      (client) =>
        Effect.gen(function* () {
          const refused = { _tag: "Failure", code: "NOREPLICAS", message: "Not enough good replicas to write." }
          expect(yield* run(client, "SET", "k", "v")).toEqual(refused)
          expect(yield* run(client, "GET", "k")).toEqual({ _tag: "Nil" })
          expect(yield* run(client, "EVAL", "return redis.call('set', 'k', 'v')", "0")).toMatchObject({
            code: "NOREPLICAS",
          })
          // What may write is refused before it begins, but not who says nothing of that.
          for (const name of ["EVAL", "EVAL_RO"])
            expect(yield* run(client, name, "#!lua\nreturn 1", "0")).toEqual(refused)
          for (const script of ["return 1", "#!lua flags=no-writes\nreturn 1"])
            expect(yield* run(client, "EVAL", script, "0")).toMatchObject({ value: 1 })
          const replica = yield* online
          expect(yield* run(client, "SET", "k", "v")).toMatchObject({ value: "OK" })
          yield* seconds(10)
          expect(yield* run(client, "SET", "k", "v")).toMatchObject({ value: "OK" })
          expect(yield* field(client, "replication", "min_slaves_good_slaves")).toBe("1")
          yield* seconds(1)
          expect(yield* run(client, "SET", "k", "v")).toEqual(refused)
          expect(yield* field(client, "replication", "min_slaves_good_slaves")).toBe("0")
          replica.send("REPLCONF", "ACK", "1")
          expect(yield* run(client, "SET", "k", "v")).toMatchObject({ value: "OK" })
        }),
      { ...settings, minReplicasToWrite: 1 },
    ),
  )
})
