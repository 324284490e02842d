/** Servers that begin with a snapshot, and go on where they were: replicas with what came behind it, masters with who had it. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Reply from "../src/codec/Reply.ts"
import type { Values } from "../src/config/Config.ts"
import * as Files from "../src/persistence/Files.ts"
import { request, select } from "../src/persistence/log/LogText.ts"
import { Connector } from "../src/replication/link/Connector.ts"
import * as Server from "../src/Server.ts"
import type { MemoryConnector } from "../src/socket/MemorySocket.ts"
import { FailingDisk } from "./support/FailingDisk.ts"
import { attach, field, fullResync, online, turns } from "./support/ReplicaPeer.ts"
import * as Master from "./support/ScriptedMaster.ts"
import { atStartTime, connect, run, type TestClient, testSettings } from "./support/TestServer.ts"

/** One life of a server; a snapshot is written at its end. */
const life = <A>(
  disk: FailingDisk,
  body: (client: TestClient) => Effect.Effect<A, never, MemoryConnector>,
  options: Partial<Values> = {},
  connector: Layer.Layer<Connector> = Connector.layerNoop,
) => {
  const settings = { ...testSettings, dir: "/tmp", save: [{ seconds: 3600, changes: 1 }], replDisklessSyncDelay: 0 }
  const persistence = Files.layer().pipe(Layer.provide(disk.layer))
  const server = Server.layerTest({ ...settings, ...options }, { connector, persistence })
  return Effect.flatMap(connect, body).pipe(Effect.provide(server), Effect.scoped)
}
const replicaof = { host: "master.example", port: 7000 }

const facts = (client: TestClient, ...names: ReadonlyArray<string>) =>
  Effect.forEach(names, (name) => field(client, "replication", name))

it.effect("a master goes on with who had its data: keys whose time has come meanwhile go there, too", () =>
  Effect.gen(function* () {
    const disk = new FailingDisk(1)
    const before = yield* life(disk, (client) =>
      Effect.gen(function* () {
        const replica = yield* online
        yield* run(client, "SET", "a", "1")
        yield* run(client, "SELECT", "3")
        for (const key of ["text", "list"]) {
          yield* key === "list" ? run(client, "RPUSH", key, "1") : run(client, "SET", key, "1")
          yield* run(client, "PEXPIRE", key, "500")
        }
        return { id: replica.id, offset: Number(yield* field(client, "replication", "master_repl_offset")) }
      }),
    )
    yield* TestClock.adjust("1 second")
    yield* life(disk, (client) =>
      Effect.gen(function* () {
        expect(yield* run(client, "GET", "a")).toEqual(Reply.bulk("1"))
        const gone = select(3) + request(["DEL", "list"]) + request(["DEL", "text"])
        expect(
          yield* facts(client, "master_replid2", "second_repl_offset", "master_repl_offset", "repl_backlog_histlen"),
        ).toEqual([before.id, before.offset + 1, before.offset + gone.length, gone.length].map(String))
        const id = (yield* field(client, "replication", "master_replid"))!
        expect(id).not.toBe(before.id)
        const replica = yield* attach(["REPLCONF", "capa", "psync2"])
        replica.take()
        replica.send("PSYNC", before.id, String(before.offset + 1))
        expect(replica.take()).toBe(`+CONTINUE ${id}\r\n${gone}`)
        yield* run(client, "SET", "b", "2")
        expect(replica.take()).toBe(select(0) + request(["SET", "b", "2"]))
        // What the old history came to behind the snapshot is not here.
        const further = yield* attach(["PSYNC", before.id, String(before.offset + 2)])
        yield* turns
        expect(fullResync(further).id).toBe(id)
      }),
    )
  }).pipe(atStartTime),
)

it.effect("a master that nobody followed begins a history without a past", () =>
  Effect.gen(function* () {
    const disk = new FailingDisk(1)
    yield* life(disk, (client) => run(client, "SET", "a", "1"))
    yield* life(disk, (client) =>
      Effect.gen(function* () {
        expect(yield* run(client, "GET", "a")).toEqual(Reply.bulk("1"))
        expect(yield* facts(client, "master_replid2", "master_repl_offset", "repl_backlog_active")).toEqual([
          ...["0".repeat(40), "0", "0"],
        ])
      }),
    )
  }).pipe(atStartTime),
)

it.effect("a replica asks its master for what came behind its snapshot, in the database that was selected", () =>
  Effect.gen(function* () {
    const disk = new FailingDisk(1)
    const first = Master.make()
    yield* life(
      disk,
      (client) =>
        Effect.gen(function* () {
          const end = yield* first.connection
          // Whose data it has is not known.
          expect(yield* end.greet).toEqual(["?", "-1"])
          end.say(Master.fullSync(Master.snapshot({ a: "1", due: "1" }), 100))
          yield* end.request
          end.stream(["SELECT", "2"], ["SET", "b", "2"], ["SELECT", "0"], ["PEXPIREAT", "due", "1"], ["SELECT", "2"])
          yield* end.settled
          expect(yield* run(client, "GET", "a")).toEqual(Reply.bulk("1"))
        }),
      { replicaof },
      first.layer,
    )
    const second = Master.make()
    yield* life(
      disk,
      (client) =>
        Effect.gen(function* () {
          const end = yield* second.connection
          const [id, from] = yield* end.greet
          expect([id, Number(from)]).toEqual([
            Master.id,
            Number(yield* field(client, "replication", "master_repl_offset")) + 1,
          ])
          // The master says when it goes.
          expect(yield* run(client, "DBSIZE")).toEqual(Reply.int(2))
          end.say("+CONTINUE\r\n")
          yield* end.request
          end.stream(["SET", "c", "3"])
          yield* end.settled
          yield* run(client, "SELECT", "2")
          expect(yield* run(client, "MGET", "b", "c")).toEqual(Reply.array([Reply.bulk("2"), Reply.bulk("3")]))
        }),
      { replicaof },
      second.layer,
    )
  }).pipe(atStartTime),
)

it.effect("INFO says that a snapshot is being made while one is sent to replicas", () =>
  life(
    new FailingDisk(1),
    (client) =>
      Effect.gen(function* () {
        const inProgress = field(client, "persistence", "rdb_bgsave_in_progress")
        for (let i = 0; i < 80; i++) yield* run(client, "SET", `k${i}`, String(i).padStart(30_000, "x"))
        expect(yield* inProgress).toBe("0")
        const replica = yield* attach(["PSYNC", "?", "-1"])
        replica.peer.setPaused(true)
        yield* turns
        expect(yield* inProgress).toBe("1")
        replica.peer.setPaused(false)
        for (let i = 0; i < 20; i++) yield* turns
        expect(yield* inProgress).toBe("0")
      }),
    { rdbcompression: false },
  ).pipe(atStartTime),
)
