/**
 * Scripts that take longer than `busy-reply-threshold`: what the other clients are told meanwhile, how such a script ends, and
 * that it is one unit whatever comes in between. Time is real here, and no test waits for it: the reply BUSY is what shows
 * that the script has paused.
 */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Reply from "../src/codec/Reply.ts"
import type * as Command from "../src/command/Command.ts"
import { Shutdown } from "../src/command/Shutdown.ts"
import * as Running from "../src/commands/scripting/running.ts"
import * as Files from "../src/persistence/Files.ts"
import { request as encodeRequest } from "../src/persistence/log/LogText.ts"
import { type Change, Persistence } from "../src/persistence/Persistence.ts"
import type { ScriptEngineService } from "../src/scripting/ScriptEngine.ts"
import * as Server from "../src/Server.ts"
import { FailingDisk } from "./support/FailingDisk.ts"
import { connect, run, type TestClient, testSettings } from "./support/TestServer.ts"

const text = (reply: Reply.Reply) => (reply._tag === "Failure" ? `${reply.code} ${reply.message}` : reply)
const busy = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
const busyFunction = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
const unkillable =
  "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script " +
  "termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
const killed = /^ERR Script killed by user with SCRIPT KILL\.\.\. script: [0-9a-f]{40}, on @user_script:2\.$/

interface Scene {
  readonly slow: TestClient
  readonly other: TestClient
  readonly waiting: TestClient
  readonly log: Array<Change>
}

const settings = { ...testSettings, busyReplyThreshold: 5, scriptTimeLimit: 300 }

const scene = (body: (scene: Scene) => Effect.Effect<void>) => {
  const log: Array<Change> = []
  return Effect.gen(function* () {
    yield* body({ slow: yield* connect, other: yield* connect, waiting: yield* connect, log })
  }).pipe(Effect.provide(Server.layerTest(settings, { persistence: Persistence.layerMemory(log) })))
}
const ask = (client: TestClient, ...argv: ReadonlyArray<string>) => Effect.map(run(client, ...argv), text)
const received = (client: TestClient) => Effect.map(Effect.promise(client.receive), text)
/** Requests over memory leave no time for anything else: this does. */
const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
/** Asks until the script has ended. */
const untilIdle = (client: TestClient): Effect.Effect<void> =>
  Effect.flatMap(ask(client, "PING"), (reply) =>
    reply === busy ? Effect.zipRight(turn, untilIdle(client)) : Effect.void,
  )
const logged = (log: ReadonlyArray<Change>) => log.map(({ argv }) => argv.join(" "))

/** Runs on for some pauses. */
const while10Pauses = "for i=1,1e7 do end"

it.live("leaves the others BUSY until it is killed", () =>
  scene(({ slow, other }) =>
    Effect.gen(function* () {
      slow.send("EVAL", "local n=0\nwhile true do n=n+1 end", "0")
      for (const request of [
        ["PING"],
        ["GET", "k"],
        ["FUNCTION", "KILL"],
        ["FUNCTION", "STATS"],
        ["SCRIPT", "FLUSH"],
        ["EVAL", "return 1", "0"],
        ["SHUTDOWN"],
        ["SHUTDOWN", "SAVE"],
      ]) {
        expect(yield* ask(other, ...request)).toBe(busy)
      }
      expect(yield* ask(other, "SHUTDOWN", "ABORT")).toBe("ERR No shutdown in progress.")
      // What ALLOW_BUSY is about, and what is wrong in itself.
      for (const name of ["MULTI", "DISCARD", "WATCH k", "UNWATCH"]) {
        expect(yield* run(other, ...name.split(" "))).toEqual(Reply.ok)
      }
      expect(yield* ask(other, "GET")).toBe("ERR wrong number of arguments for 'get' command")
      expect(yield* run(other, "SCRIPT", "KILL")).toEqual(Reply.ok)
      expect(yield* received(slow)).toMatch(killed)
      expect(yield* ask(other, "SCRIPT", "KILL")).toBe("NOTBUSY No scripts in execution right now.")
      expect(yield* run(other, "PING")).toEqual(Reply.pong)
    }),
  ),
)

it.live("may be a function, which FUNCTION STATS shows", () =>
  scene(({ slow, other }) =>
    Effect.gen(function* () {
      const source = '#!lua name=l\nredis.register_function("f",function() while true do end end)'
      yield* run(other, "FUNCTION", "LOAD", source)
      slow.send("FCALL", "f", "0")
      expect(yield* ask(other, "PING")).toBe(busyFunction)
      expect(yield* ask(other, "SCRIPT", "KILL")).toBe(busyFunction)
      const stats = yield* run(other, "FUNCTION", "STATS")
      expect(JSON.stringify(stats)).toContain('"FCALL"')
      expect(yield* run(other, "FUNCTION", "KILL")).toEqual(Reply.ok)
      expect(yield* received(slow)).toMatch(/^ERR Script killed by user.* script: f, on @user_function:2\.$/)
    }),
  ),
)

it.live("gives its reply when it ends by itself, and its changes are there", () =>
  scene(({ slow, other }) =>
    Effect.gen(function* () {
      slow.send("EVAL", `${while10Pauses} redis.call('set','k','v') return 'done'`, "0")
      expect(yield* ask(other, "GET", "k")).toBe(busy)
      expect(yield* received(slow)).toEqual(Reply.bulk("done"))
      expect(yield* run(other, "GET", "k")).toEqual(Reply.bulk("v"))
    }),
  ),
)

it.live("that has written cannot be killed, and is logged and seen as a whole", () =>
  scene(({ slow, other, waiting, log }) =>
    Effect.gen(function* () {
      waiting.send("BLPOP", "l", "0")
      yield* run(other, "SET", "fading", "1", "PX", "20")
      log.length = 0
      const source =
        `redis.call('set','k','1') redis.call('rpush','l','x') ${while10Pauses} ` +
        "redis.call('incr','k') return {redis.call('get','k'),redis.call('get','fading')}"
      slow.send("EVAL", source, "0")
      expect(yield* ask(other, "GET", "k")).toBe(busy)
      expect(yield* ask(other, "SCRIPT", "KILL")).toBe(unkillable)
      expect([logged(log), waiting.arrived()]).toEqual([[], []])
      // Its instant stays, so the key that has expired meanwhile is there for it to the end.
      expect(yield* received(slow)).toEqual(Reply.array([Reply.bulk("2"), Reply.bulk("1")]))
      expect(yield* received(waiting)).toEqual(Reply.array([Reply.bulk("l"), Reply.bulk("x")]))
      expect(logged(log).slice(0, 6)).toEqual(["MULTI", "set k 1", "rpush l x", "incr k", "EXEC", "LPOP l"])
    }),
  ),
)

it.live("loses no key to eviction that it may have seen", () =>
  scene(({ slow, other }) =>
    Effect.gen(function* () {
      yield* run(other, "CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", "200000")
      const fill = "for i=1,50 do redis.call('set','k'..i,string.rep('x',10000)) end"
      slow.send("EVAL", `${fill} ${while10Pauses} return redis.call('dbsize')`, "0")
      expect(yield* ask(other, "GET", "k1")).toBe(busy)
      expect(yield* received(slow)).toEqual(Reply.int(50))
      const left = yield* run(other, "DBSIZE")
      expect(left._tag === "Int" ? Number(left.value) : 50).toBeLessThan(25)
    }),
  ),
)

it.live("leaves no server behind that is busy for ever, when a bug ends it", () =>
  Effect.gen(function* () {
    const engine = { slow: undefined } as unknown as ScriptEngineService
    const store = { unfinished: false }
    const fails = () => {
      throw new Error("a bug")
    }
    const target: Running.Target = {
      ...{ kind: "script", name: "sha", flags: undefined },
      run: () => ({ _tag: "Paused", resume: fails, kill: fails }),
    }
    const ctx = {
      ...{ argv: [], client: { protocol: 2 }, nested: false, now: 0, store },
      propagateAs: () => {},
      scriptCalls: () => ({ outOfMemory: false, wrote: () => false }),
      unit: (_: number, body: () => unknown) => body(),
    } as unknown as Command.Ctx
    const services = { engine, busyAfterMs: () => 1, endsAfterMs: () => 1, log: () => {} }
    const result = Running.run(services, target, { keys: [], argv: [], readOnly: false }, ctx)
    expect([store.unfinished, engine.slow?.name]).toEqual([true, "sha"])
    expect(Exit.isFailure(yield* Effect.exit(result))).toBe(true)
    expect([store.unfinished, engine.slow]).toEqual([false, undefined])
  }),
)

it.live("ends with its client", () =>
  scene(({ slow, other }) =>
    Effect.gen(function* () {
      slow.send("EVAL", "while true do end", "0")
      expect(yield* ask(other, "PING")).toBe(busy)
      slow.destroy()
      yield* untilIdle(other)
    }),
  ),
)

it.live("that has written goes on without its client", () =>
  scene(({ slow, other, log }) =>
    Effect.gen(function* () {
      slow.send("EVAL", `redis.call('incr','k') ${while10Pauses} redis.call('incr','k')`, "0")
      expect(yield* ask(other, "PING")).toBe(busy)
      slow.destroy()
      yield* untilIdle(other)
      expect(yield* run(other, "GET", "k")).toEqual(Reply.bulk("2"))
      expect(logged(log)).toEqual(["MULTI", "incr k", "incr k", "EXEC"])
    }),
  ),
)

it.live("that has written and does not end is given up some time after its client has left", () =>
  scene(({ slow, other }) =>
    Effect.gen(function* () {
      slow.send("EVAL", "redis.call('incr','k') while true do end", "0")
      expect(yield* ask(other, "PING")).toBe(busy)
      slow.destroy()
      yield* untilIdle(other)
      expect(yield* run(other, "GET", "k")).toEqual(Reply.bulk("1"))
    }),
  ),
)

it.live("is ended in a pcall by script-time-limit, and the server goes on", () =>
  scene(({ slow, other }) =>
    Effect.gen(function* () {
      slow.send("EVAL", "while true do pcall(function() while true do end end) end", "0")
      const pong = yield* ask(other, "PING")
      expect(yield* received(slow)).toMatch(/^ERR Script ran longer than this server allows script: [0-9a-f]{40}, on /)
      expect(pong).toEqual(Reply.pong)
    }),
  ),
)

it.live("goes with the server on SHUTDOWN NOSAVE, and nothing of it is kept", () => {
  const log: Array<Change> = []
  return Effect.gen(function* () {
    const scope = yield* Scope.make()
    const server = Server.layerTest(settings, { persistence: Persistence.layerMemory(log) })
    const context = yield* Layer.buildWithScope(server, scope)
    yield* Effect.gen(function* () {
      const [slow, other] = [yield* connect, yield* connect]
      slow.send("EVAL", "redis.call('incr','k') while true do end", "0")
      expect(yield* ask(other, "PING")).toBe(busy)
      expect(yield* ask(other, "SHUTDOWN")).toBe(busy)
      other.send("SHUTDOWN", "NOSAVE")
      yield* Effect.flatMap(Shutdown, ({ requested }) => requested)
    }).pipe(Effect.provide(context))
    yield* Scope.close(scope, Exit.void)
    expect(log).toEqual([])
  })
})

it.live("holds back no SHUTDOWN NOSAVE of a server whose log is about to begin", () => {
  const disk = new FailingDisk(1)
  return Effect.gen(function* () {
    const scope = yield* Scope.make()
    const server = Server.layerTest({ ...settings, dir: "/tmp" }, { persistence: Files.layer() })
    const context = yield* Layer.buildWithScope(Layer.provide(server, disk.layer), scope)
    yield* Effect.gen(function* () {
      const [slow, other] = [yield* connect, yield* connect]
      const endless = ["EVAL", "redis.call('incr','k') while true do end", "0"]
      slow.sendRaw(encodeRequest(["CONFIG", "SET", "appendonly", "yes"]) + encodeRequest(endless))
      expect(yield* ask(other, "PING")).toBe(busy)
      other.send("SHUTDOWN", "NOSAVE")
      yield* Effect.flatMap(Shutdown, ({ requested }) => requested)
    }).pipe(Effect.provide(context))
    expect(
      Option.isSome(yield* Effect.timeoutOption(Effect.disconnect(Scope.close(scope, Exit.void)), "2 seconds")),
    ).toBe(true)
  })
})
