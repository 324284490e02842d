/**
 * FAILOVER: two servers in memory exchange their roles; and a master whose replica the test plays: what is held back while it waits, how it
 * ends, and what it asks of who is to take over. Time is virtual.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Server from "../src/Server.ts"
import { layerConnectorTo, MemoryConnector } from "../src/socket/MemorySocket.ts"
import { text } from "./support/FollowingScene.ts"
import { attach, field, online, seconds, settings, turns } from "./support/ReplicaPeer.ts"
import * as Played from "./support/ScriptedMaster.ts"
import { atStartTime, connect, makeClient, run, type TestClient, testSettings } from "./support/TestServer.ts"

const replication = (client: TestClient, ...names: ReadonlyArray<string>) =>
  Effect.forEach(names, (name) => field(client, "replication", name))
const state = (client: TestClient) => field(client, "replication", "master_failover_state")
const receive = (client: TestClient) => Effect.promise(() => client.receive())

interface Scene {
  readonly client: TestClient
  readonly target: ReturnType<typeof Played.make>
  readonly replica: Effect.Effect.Success<typeof online>
}

/** A master with one replica, which listens at 127.0.0.1:7000 and has the first of two changes. */
const scene = (body: (scene: Scene) => Effect.Effect<void, never, MemoryConnector>): Effect.Effect<void, unknown> => {
  const target = Played.make()
  const server = Server.layerTest({ ...testSettings, ...settings }, { connector: target.layer })
  return Effect.gen(function* () {
    const client = yield* connect
    yield* run(client, "SET", "before", "1")
    const replica = yield* online
    yield* run(client, "SET", "k", "v")
    replica.take()
    yield* body({ client, target, replica })
  }).pipe(Effect.provide(server), atStartTime)
}

const catchUp = ({ client, replica }: Scene) =>
  Effect.map(field(client, "replication", "master_repl_offset"), (offset) =>
    replica.send("REPLCONF", "ACK", String(offset)),
  )

describe("FAILOVER", () => {
  it.effect("makes the replica the master, and this server its replica, without another snapshot", () =>
    Effect.gen(function* () {
      const builds: Array<MemoryConnector["Type"]> = []
      const build = (port: number, toward: number) =>
        Effect.map(
          Layer.build(
            Server.layerTest(
              { ...testSettings, ...settings, replicaAnnounceIp: "in.memory", replicaAnnouncePort: port },
              { connector: layerConnectorTo({ connect: () => builds[toward]!.connect() }) },
            ),
          ),
          (context) => {
            builds.push(Context.get(context, MemoryConnector))
            return () => makeClient(Context.get(context, MemoryConnector).connect())
          },
        )
      const connectFirst = yield* build(7001, 1)
      const connectSecond = yield* build(7002, 0)
      const [first, second] = [connectFirst(), connectSecond()]
      yield* run(first, "SET", "k", "1")
      yield* run(second, "REPLICAOF", "in.memory", "7001")
      yield* seconds(2)
      yield* run(first, "INCR", "k")
      const blocked = connectFirst()
      blocked.send("BLPOP", "list", "0")
      const id = yield* field(first, "replication", "master_replid")
      expect(yield* text(first, "FAILOVER", "TO", "in.memory", "7002", "TIMEOUT", "5000")).toBe("Simple")
      expect(yield* replication(first, "role", "master_failover_state")).toEqual(["master", "waiting-for-sync"])
      const writer = connectFirst()
      writer.send("INCR", "k")
      yield* turns
      expect(writer.arrived()).toEqual([])
      yield* seconds(1)
      expect(yield* receive(writer)).toMatchObject({ code: "READONLY" })
      expect(yield* receive(blocked)).toMatchObject({ code: "UNBLOCKED" })
      yield* Effect.promise(() => blocked.closed)
      const ofReplica = ["role", "master_port", "master_link_status", "master_failover_state"]
      expect(yield* replication(first, ...ofReplica)).toEqual(["slave", "7002", "up", "no-failover"])
      expect(yield* replication(second, "role", "master_failover_state")).toEqual(["master", "no-failover"])
      expect(yield* field(second, "replication", "master_replid2")).toBe(id)
      expect(yield* field(second, "stats", "sync_partial_ok")).toBe("1")
      expect(yield* field(second, "stats", "sync_full")).toBe("0")
      yield* run(second, "INCR", "k")
      yield* turns
      expect(yield* text(first, "GET", "k")).toBe("3")
      // And back, to whoever is there.
      yield* seconds(1)
      expect(yield* text(second, "FAILOVER")).toBe("Simple")
      yield* seconds(1)
      expect(yield* replication(second, ...ofReplica)).toEqual(["slave", "7001", "up", "no-failover"])
      expect(yield* replication(first, "role", "master_failover_state")).toEqual(["master", "no-failover"])
      expect(yield* text(first, "INCR", "k")).toBe("Int")
    }).pipe(Effect.scoped, atStartTime),
  )

  it.effect("refuses what cannot be", () =>
    scene(({ client }) =>
      Effect.gen(function* () {
        const ask = (...words: ReadonlyArray<string>) => text(client, "FAILOVER", ...words)
        expect(yield* ask("TO", "127.0.0.1", "7001")).toBe("ERR FAILOVER target HOST and PORT is not a replica.")
        expect(yield* ask("TO", "elsewhere", "7000")).toBe("ERR FAILOVER target HOST and PORT is not a replica.")
        const alone = "ERR FAILOVER with force option requires both a timeout and target HOST and IP."
        expect(yield* ask("FORCE")).toBe(alone)
        expect(yield* ask("TO", "127.0.0.1", "7000", "FORCE")).toBe(alone)
        expect(yield* ask("FORCE", "TIMEOUT", "10")).toBe(alone)
        yield* attach(["REPLCONF", "listening-port", "7001", "capa", "eof"], ["PSYNC", "?", "-1"])
        expect(yield* ask("TO", "127.0.0.1", "7001")).toBe("ERR FAILOVER target replica is not online.")
        expect(yield* state(client)).toBe("no-failover")
        expect(yield* ask()).toBe("Simple")
        expect(yield* ask()).toBe("ERR FAILOVER already in progress.")
        expect(yield* text(client, "REPLICAOF", "h", "1")).toBe("ERR REPLICAOF not allowed while failing over.")
        expect(yield* text(client, "REPLICAOF", "NO", "ONE")).toBe("ERR REPLICAOF not allowed while failing over.")
      }),
    ),
  )

  it.effect("changes nothing and says nothing more until the replica has everything, and can be ended", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client, replica } = on
        yield* run(client, "SET", "short", "1", "PX", "2000")
        replica.take()
        expect(yield* text(client, "FAILOVER", "TIMEOUT", "60000")).toBe("Simple")
        const writer = yield* connect
        writer.send("SET", "k", "w")
        const waiter = yield* connect
        waiter.send("WAIT", "1", "0")
        yield* run(client, "CLIENT", "UNPAUSE")
        // Longer than `repl-ping-replica-period`, and than the key lasts.
        yield* seconds(20)
        expect(replica.take()).toBe("")
        expect(writer.arrived()).toEqual([])
        expect(yield* text(client, "GET", "k")).toBe("v")
        expect(yield* text(client, "GET", "short")).toBe("Nil")
        expect(yield* run(client, "DBSIZE")).toMatchObject({ value: 3 })
        expect(yield* state(client)).toBe("waiting-for-sync")
        expect(yield* text(client, "FAILOVER", "ABORT")).toBe("Simple")
        expect(yield* receive(writer)).toMatchObject({ value: "OK" })
        expect(yield* state(client)).toBe("no-failover")
        yield* seconds(1)
        expect(yield* run(client, "DBSIZE")).toMatchObject({ value: 2 })
        expect(replica.take()).toContain("DEL\r\n$5\r\nshort\r\n")
        expect(yield* text(client, "FAILOVER", "ABORT")).toBe("ERR No failover in progress.")
        // It is over: who catches up now is told nothing.
        yield* catchUp(on)
        yield* seconds(1)
        expect(yield* field(client, "replication", "role")).toBe("master")
      }),
    ),
  )

  it.effect("keeps to a CLIENT PAUSE that lasts longer", () =>
    scene(({ client }) =>
      Effect.gen(function* () {
        yield* run(client, "SET", "short", "1", "PX", "1000")
        yield* text(client, "FAILOVER", "TIMEOUT", "3000")
        yield* seconds(2)
        yield* run(client, "CLIENT", "PAUSE", "3000", "WRITE")
        const writer = yield* connect
        writer.send("SET", "k", "w")
        yield* seconds(2)
        expect(yield* state(client)).toBe("no-failover")
        expect(writer.arrived()).toEqual([])
        expect(yield* run(client, "DBSIZE")).toMatchObject({ value: 3 })
        yield* seconds(2)
        expect(yield* receive(writer)).toMatchObject({ value: "OK" })
        expect(yield* run(client, "DBSIZE")).toMatchObject({ value: 2 })
      }),
    ),
  )

  it.effect("gives up when its time is over, or forces the replica to go on with what it has", () =>
    scene(({ client, replica, target }) =>
      Effect.gen(function* () {
        yield* text(client, "FAILOVER", "TO", "127.0.0.1", "7000", "TIMEOUT", "500")
        yield* TestClock.adjust("499 millis")
        expect(yield* state(client)).toBe("waiting-for-sync")
        yield* TestClock.adjust("1 millis")
        expect(yield* state(client)).toBe("no-failover")
        expect(replica.isClosed()).toBe(false)
        yield* text(client, "FAILOVER", "TO", "127.0.0.1", "7000", "FORCE", "TIMEOUT", "500")
        const writer = yield* connect
        writer.send("SET", "k", "w")
        yield* TestClock.adjust("500 millis")
        expect(yield* replication(client, "role", "master_port", "master_failover_state")).toEqual([
          ...["slave", "7000", "failover-in-progress"],
        ])
        expect(yield* text(client, "REPLICAOF", "NO", "ONE")).toBe("ERR REPLICAOF not allowed while failing over.")
        const end = yield* target.connection
        const [id, offset] = yield* replication(client, "master_replid", "master_repl_offset")
        expect(yield* end.greet).toEqual([id, String(Number(offset) + 1), "FAILOVER"])
        expect(writer.arrived()).toEqual([])
        // Who comes now is told by whom he is served.
        expect(yield* text(client, "SET", "k", "x")).toMatch(/^READONLY /)
        expect(yield* text(client, "FAILOVER", "ABORT")).toBe("Simple")
        expect(yield* receive(writer)).toMatchObject({ value: "OK" })
        expect(yield* replication(client, "role", "master_failover_state")).toEqual(["master", "no-failover"])
        expect(end.isClosed).toBe(true)
      }),
    ),
  )

  it.effect("tries again where nobody is reached, stays the master where the replica refuses", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client, target } = on
        yield* text(client, "FAILOVER")
        yield* catchUp(on)
        yield* turns
        const first = yield* target.connection
        first.close()
        yield* seconds(1)
        const second = yield* target.connection
        yield* second.greet
        second.say("-LOADING not yet\r\n")
        yield* seconds(1)
        expect(yield* state(client)).toBe("failover-in-progress")
        const third = yield* target.connection
        expect((yield* third.greet).at(-1)).toBe("FAILOVER")
        third.say("-NOPERM no\r\n")
        yield* turns
        expect(yield* replication(client, "role", "master_failover_state")).toEqual(["master", "no-failover"])
        expect(yield* text(client, "SET", "k", "w")).toBe("Simple")
        yield* seconds(2)
        expect(target.arrived).toEqual([])
      }),
    ),
  )

  it.effect("goes on without the word once the replica has taken over", () =>
    scene((on) =>
      Effect.gen(function* () {
        const { client, replica, target } = on
        yield* text(client, "FAILOVER")
        yield* catchUp(on)
        yield* turns
        const end = yield* target.connection
        yield* end.greet
        end.say(`+CONTINUE ${Played.id}\r\n`)
        yield* turns
        expect(replica.isClosed()).toBe(true)
        expect(yield* replication(client, "role", "master_failover_state")).toEqual(["slave", "no-failover"])
        yield* seconds(2)
        end.close()
        const next = yield* target.connection
        expect((yield* next.greet)[0]).toBe(Played.id)
        expect(yield* text(client, "REPLICAOF", "NO", "ONE")).toBe("Simple")
      }),
    ),
  )
})
