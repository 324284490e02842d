/**
 * Scripts beyond single replies (those are in the transcripts): limits that hold whatever a script catches, what is left
 * behind, and what reaches the log. What other clients are told meanwhile is in slowScripts.test.ts.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Reply from "../src/codec/Reply.ts"
import type { Change } from "../src/persistence/Persistence.ts"
import { Persistence } from "../src/persistence/Persistence.ts"
import { make } from "../src/scripting/LuaEngine.ts"
import { Libraries } from "../src/scripting/Libraries.ts"
import { type Invocation, ScriptEngine } from "../src/scripting/ScriptEngine.ts"
import * as Server from "../src/Server.ts"
import { connect, layer, run, testSettings } from "./support/TestServer.ts"

const invocation: Invocation = {
  keys: [],
  argv: [],
  protocol: 2,
  call: () => Reply.ok,
  aclAllows: () => true,
  log: () => {},
  setReplication: () => {},
  nowMs: 0,
  pauseAfterMs: Infinity,
}

const smallLimits = { memoryBytesMax: 64 * 1024 * 1024, timeMsMax: 300, instructionsMax: 1e12 }

const newEngine = (limits: Partial<typeof smallLimits> = {}, now = () => performance.now()) => {
  const engine = make(() => ({ ...smallLimits, ...limits }), now)
  const evaluate = (source: string, given: Partial<Invocation> = {}) => {
    const script = engine.load(source)
    if (Either.isLeft(script)) return Reply.failure(script.left)
    return engine.run(script.right, { ...invocation, nowMs: now(), ...given })
  }
  return { engine, evaluate }
}

/** The text of an error reply, without the script's name. */
const errorOf = (outcome: { readonly _tag: string }): string => {
  const reply = outcome as Reply.Reply
  if (reply._tag !== "Failure") return `no error but ${JSON.stringify(reply)}`
  return `${reply.code} ${reply.message}`.replace(/script:? [0-9a-f]{40}/, "script")
}

it.effect("DEBUG SET-DISABLE-DENY-SCRIPTS lets scripts call what is not for them", () =>
  Effect.gen(function* () {
    const client = yield* connect
    const script = ["EVAL", "return redis.call('DEBUG', 'PROTOCOL', ARGV[1])", "0", "integer"] as const
    const refused = { _tag: "Failure", message: expect.stringContaining("not allowed from script") }
    expect(yield* run(client, ...script)).toMatchObject(refused)
    expect(yield* run(client, "DEBUG", "SET-DISABLE-DENY-SCRIPTS", "1")).toEqual(Reply.ok)
    expect(yield* run(client, ...script)).toEqual(Reply.int(12345))
    expect(yield* run(client, "DEBUG", "SET-DISABLE-DENY-SCRIPTS", "0")).toEqual(Reply.ok)
    expect(yield* run(client, ...script)).toMatchObject(refused)
  }).pipe(Effect.provide(layer())),
)

it.effect("what a script has begun to write it may end, whatever befalls the server meanwhile", () =>
  Effect.gen(function* () {
    const client = yield* connect
    yield* run(client, "DEBUG", "SET-DISABLE-DENY-SCRIPTS", "1")
    const lose = "redis.call('CONFIG', 'SET', 'min-replicas-to-write', '1')"
    const write = "redis.call('SET', KEYS[1], ARGV[1])"
    expect(yield* run(client, "EVAL", `${write} ${lose} return ${write}`, "1", "k", "v")).toEqual(Reply.ok)
    expect(yield* run(client, "EVAL", write, "1", "k", "w")).toMatchObject({ _tag: "Failure", code: "NOREPLICAS" })
    expect(yield* run(client, "GET", "k")).toEqual(Reply.bulk("v"))
  }).pipe(Effect.provide(layer())),
)

describe("the engine", () => {
  it("holds nothing before the first script", () => {
    const { engine, evaluate } = newEngine()
    expect(engine.memoryBytes()).toEqual({ scripts: 0, functions: 0 })
    evaluate("return 1")
    expect(engine.memoryBytes()).toEqual({ scripts: expect.any(Number), functions: 0 })
    expect(engine.memoryBytes().scripts).toBeGreaterThan(100_000)
  })

  it("keeps bytes as they are, both ways", () => {
    const bytes = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join("")
    const { evaluate } = newEngine()
    expect(evaluate("return ARGV[1]", { argv: [bytes] })).toEqual(Reply.bulk(bytes))
    let seen: ReadonlyArray<string> = []
    evaluate("return redis.call(KEYS[1], ARGV[1])", {
      keys: ["echo"],
      argv: [bytes],
      call: (argv) => {
        seen = argv
        return Reply.ok
      },
    })
    expect(seen).toEqual(["echo", bytes])
  })

  const time = "ERR Script ran longer than this server allows script"
  it.each([
    ["a loop", "while true do end", time],
    ["a loop that catches every error", "while true do pcall(function() while true do end end) end", time],
    ["a loop in a coroutine", "coroutine.wrap(function() while true do end end)()", time],
    ["a loop in a metamethod", "return setmetatable({},{__index=function() while true do end end}).x", time],
    ["a pattern that backtracks", 'return string.find(("a"):rep(30),("a?"):rep(30)..("a"):rep(30))', time],
    ["a pattern inside of gsub", 'return string.gsub(("a"):rep(20000),".-.-.-.-b","")', time],
    ["a string that doubles", 'local s="x" while true do s=s..s end', "ERR not enough memory script"],
    ["a string that is repeated", 'return #("x"):rep(2^30)', "ERR not enough memory script"],
    [
      "a string that is repeated again and again",
      'local t={} while true do t[#t+1]=("x"):rep(1e6)..#t end',
      "ERR not enough memory script",
    ],
    ["a table that grows", "local t={} while true do t[#t+1]={} end", "ERR not enough memory script"],
    [
      "a bomb that catches every error",
      'while true do pcall(function() local s="x" while true do s=s..s end end) end',
      time,
    ],
    ["a recursion", "local function f() return 1+f() end return f()", "ERR user_script:1: stack overflow script"],
    [
      "a metatable that refers to itself",
      "local t={} setmetatable(t,{__index=function(s,k) return s[k+1] end}) return t[1]",
      "ERR user_script:1: C stack overflow script",
    ],
    [
      "a table that contains itself as JSON",
      "local t={} t[1]=t return cjson.encode(t)",
      "ERR user_script:1: Cannot serialise, excessive nesting (1001) script",
    ],
    [
      "deep JSON",
      'return cjson.decode(("["):rep(1e5))',
      "ERR user_script:1: Found too many nested data structures (1001) script",
    ],
    [
      "deep MessagePack",
      'return cmsgpack.unpack(("\\145"):rep(1e5))',
      "ERR user_script:1: stack overflow (too many return values at once; use unpack_one or unpack_limit instead.) script",
    ],
    [
      "a pattern that nests",
      'return string.find(("a"):rep(5000),("a?"):rep(5000))',
      "ERR user_script:1: pattern too complex script",
    ],
  ])("ends %s and goes on", (_, source, expected) => {
    const { engine, evaluate } = newEngine(expected === time ? {} : { timeMsMax: 20_000 })
    evaluate("return 1")
    expect(errorOf(evaluate(source)).slice(0, expected.length)).toBe(expected)
    expect(evaluate("return 1")).toEqual(Reply.one)
    expect(engine.memoryBytes().scripts).toBeLessThanOrEqual(smallLimits.memoryBytesMax)
  })

  it("ends a loop by its instructions when the clock stands still", () => {
    const { evaluate } = newEngine({ instructionsMax: 1_000_000 }, () => 0)
    expect(errorOf(evaluate("while true do end")).slice(0, time.length)).toBe(time)
  })

  it("answers a table that contains itself down to a limit", () => {
    const { evaluate } = newEngine()
    let reply = evaluate("local t={} t[1]=t return t") as Reply.Reply
    let depth = 0
    for (; reply._tag === "Array"; depth++) reply = reply.values[0]!
    expect(depth).toBe(1000)
    expect(reply).toEqual({ _tag: "Failure", code: "ERR", message: "reached lua stack limit" })
  })

  it("gives memory back after a large script", () => {
    const { engine, evaluate } = newEngine({ memoryBytesMax: 256 * 1024 * 1024 })
    evaluate('return #("x"):rep(1e8)')
    evaluate("return 1")
    expect(engine.memoryBytes().scripts).toBeLessThan(32 * 1024 * 1024)
  })

  it("takes ten thousand scripts and forgets them", () => {
    const { engine, evaluate } = newEngine()
    for (let i = 0; i < 10_000; i++) evaluate(`return ${i}`)
    expect(engine.scriptCount()).toBe(10_000)
    expect(engine.memoryBytes().scripts).toBeLessThan(64 * 1024 * 1024)
    engine.flush()
    expect(engine.scriptCount()).toBe(0)
    expect(engine.memoryBytes().scripts).toBe(0)
    expect(evaluate("return 7")).toEqual(Reply.int(7))
  })

  it("leaves nothing of one script to the next", () => {
    const { evaluate } = newEngine()
    for (const source of [
      "pcall(function() x = 1 end)",
      'pcall(rawset, _G, "x", 1)',
      'pcall(function() string.x = 1 end) pcall(rawset, string, "x", 1)',
      "pcall(setmetatable, _G, {__index = function() return 1 end})",
      'pcall(function() getmetatable("").__index = function() return 1 end end)',
      'pcall(function() loadstring("x = 1")() end)',
      "coroutine.wrap(function() pcall(function() x = 1 end) end)()",
    ]) {
      evaluate(source)
      expect(errorOf(evaluate("return x"))).toContain("nonexistent global variable 'x'")
      expect(errorOf(evaluate("return string.x ~= nil or redis.call == nil"))).toBe('no error but {"_tag":"Nil"}')
    }
  })

  it("compiles libraries again after the interpreter was thrown away", () => {
    const { engine, evaluate } = newEngine()
    const library = Either.getOrThrow(
      engine.evaluate("l", '#!lua name=l\nredis.register_function("f",function(k,a) return a[1] end)'),
    )
    evaluate("while true do end")
    expect(engine.runFunction(library, "f", { ...invocation, argv: ["x"] })).toEqual(Reply.bulk("x"))
  })

  it("keeps the variables of a library while scripts are forgotten or ended by force", () => {
    const { engine, evaluate } = newEngine()
    const source = '#!lua name=l\nlocal n=0 redis.register_function("f",function() n=n+1 return n end)'
    const library = Either.getOrThrow(engine.evaluate("l", source))
    expect(engine.runFunction(library, "f", invocation)).toEqual(Reply.int(1))
    evaluate("return 1")
    engine.flush()
    expect(engine.memoryBytes().scripts).toBe(0)
    evaluate("while true do end")
    expect(engine.runFunction(library, "f", invocation)).toEqual(Reply.int(2))
  })

  it("gives the memory of libraries back when they are replaced, deleted or refused", () => {
    const { engine } = newEngine()
    const libraries = new Libraries(engine, { libraryBytes: 0 })
    const load = (name: string) => {
      const big = `local t = "${"x".repeat(100_000)}"`
      const source = `#!lua name=${name}\n${big}\nredis.register_function("f", function() return #t end)`
      return libraries.load(source, true)
    }
    for (let i = 0; i < 1000; i++) {
      expect(Either.isRight(load("l"))).toBe(true)
      // Its function has the name of another library's.
      expect(Either.isLeft(load("m"))).toBe(true)
      if (i % 2 === 0) libraries.delete("l")
    }
    expect(engine.memoryBytes().functions).toBeLessThan(32 * 1024 * 1024)
  })

  it("pauses and goes on where it was", () => {
    const { evaluate } = newEngine({ timeMsMax: 10_000 })
    let outcome = evaluate("local n=0 for i=1,2e7 do n=n+1 end return n", { pauseAfterMs: 5 })
    let pauses = 0
    for (; outcome._tag === "Paused"; pauses++) outcome = outcome.resume(5)
    expect(pauses).toBeGreaterThan(2)
    expect(outcome).toEqual(Reply.int(2e7))
  })

  it.effect("is left out of a server on request, which refuses scripts then", () =>
    Effect.gen(function* () {
      const client = yield* connect
      const refused = expect.objectContaining({ _tag: "Failure", message: "This server has no scripting" })
      expect(yield* run(client, "EVAL", "return 1", "0")).toEqual(refused)
      expect(yield* run(client, "PING")).toEqual(Reply.pong)
    }).pipe(Effect.provide(Server.layerTest(testSettings, { scripts: ScriptEngine.layerNoop }))),
  )

  it("can be left out", () =>
    Effect.gen(function* () {
      const engine = yield* ScriptEngine
      expect(engine.load("return 1")).toEqual(Either.left(expect.objectContaining({ code: "ERR" })))
    }).pipe(Effect.provide(ScriptEngine.layerNoop), Effect.runPromise))
})

describe("the settings", () => {
  const bomb = (megabytes: number) => `return #("x"):rep(${megabytes * 1024 * 1024})`

  it.effect("bound the memory of scripts, and of functions, until they are changed", () =>
    Effect.gen(function* () {
      const client = yield* connect
      const limited = expect.objectContaining({
        _tag: "Failure",
        message: expect.stringContaining("not enough memory"),
      })
      const source = `#!lua name=l\nredis.register_function("f", function() ${bomb(40)} end)`
      yield* run(client, "FUNCTION", "LOAD", source)
      expect(yield* run(client, "EVAL", bomb(40), "0")).toEqual(limited)
      expect(yield* run(client, "EVAL", `return pcall(function() ${bomb(40)} end)`, "0")).toEqual(Reply.nil)
      expect(yield* run(client, "FCALL", "f", "0")).toEqual(limited)
      expect(yield* run(client, "CONFIG", "SET", "script-memory-limit", "128mb")).toEqual(Reply.ok)
      expect(yield* run(client, "EVAL", bomb(40), "0")).toEqual(Reply.int(40 * 1024 * 1024))
      expect(yield* run(client, "FCALL", "f", "0")).toEqual(Reply.int(40 * 1024 * 1024))
    }).pipe(Effect.provide(layer({ scriptMemoryLimit: 32 * 1024 * 1024 }))),
  )
})

describe("what scripts change", () => {
  const logOf = (...requests: ReadonlyArray<ReadonlyArray<string>>) => {
    const log: Array<Change> = []
    return Effect.flatMap(connect, (client) =>
      Effect.gen(function* () {
        for (const request of requests) yield* run(client, ...request)
        return log.map(({ argv }) => argv.join(" "))
      }),
    ).pipe(Effect.provide(Server.layerTest(testSettings, { persistence: Persistence.layerMemory(log) })))
  }

  it.effect("is logged as its effects, in one transaction", () =>
    Effect.gen(function* () {
      const source = "redis.call('set',KEYS[1],'1') redis.call('get',KEYS[1]) redis.call('incr',KEYS[1])"
      expect(yield* logOf(["EVAL", source, "1", "k"])).toEqual(["MULTI", "set k 1", "incr k", "EXEC"])
    }),
  )

  it.effect("is logged without a transaction when it is one change", () =>
    Effect.gen(function* () {
      expect(yield* logOf(["EVAL", "return redis.call('set','k','v')", "0"])).toEqual(["set k v"])
    }),
  )

  it.effect("is logged as far as it went when the script fails", () =>
    Effect.gen(function* () {
      expect(yield* logOf(["EVAL", "redis.call('set','k','v') error('x')", "0"])).toEqual(["set k v"])
    }),
  )

  it.effect("is not logged while the script does not want it", () =>
    Effect.gen(function* () {
      const source =
        "redis.set_repl(redis.REPL_NONE) redis.call('set','a','1') redis.set_repl(redis.REPL_ALL) redis.call('set','b','1')" +
        "redis.set_repl(redis.REPL_REPLICA) redis.call('set','c','1') redis.set_repl(redis.REPL_AOF) redis.call('set','d','1')"
      expect(yield* logOf(["EVAL", source, "0"])).toEqual(["MULTI", "set b 1", "set d 1", "EXEC"])
    }),
  )

  it.effect("goes into the transaction around it", () =>
    Effect.gen(function* () {
      const requests = [["MULTI"], ["SET", "a", "1"], ["EVAL", "redis.call('set','b','2')", "0"], ["EXEC"]]
      expect(yield* logOf(...requests)).toEqual(["MULTI", "SET a 1", "set b 2", "EXEC"])
    }),
  )

  it.effect("includes libraries as they came", () =>
    Effect.gen(function* () {
      const load = [
        "FUNCTION",
        "LOAD",
        '#!lua name=l\nredis.register_function("f",function() redis.call("set","k","v") end)',
      ]
      expect(yield* logOf(load, ["FCALL", "f", "0"], ["FUNCTION", "DELETE", "l"])).toEqual([
        load.join(" "),
        "set k v",
        "FUNCTION DELETE l",
      ])
    }),
  )

  it.effect("wakes a blocked client when the script has ended", () =>
    Effect.gen(function* () {
      const [client, blocked] = [yield* connect, yield* connect]
      blocked.send("BLPOP", "l", "0")
      const reply = yield* run(
        client,
        "EVAL",
        "redis.call('rpush','l','a') redis.call('rpush','l','b') return redis.call('llen','l')",
        "0",
      )
      expect(reply).toEqual(Reply.int(2))
      expect(yield* Effect.promise(blocked.receive)).toEqual(Reply.array([Reply.bulk("l"), Reply.bulk("a")]))
    }).pipe(Effect.provide(layer())),
  )
})

describe("libraries", () => {
  it.effect("travel in a dump, and a restore is all or nothing", () =>
    Effect.gen(function* () {
      const client = yield* connect
      const load = (name: string, f: string) =>
        run(
          client,
          "FUNCTION",
          "LOAD",
          `#!lua name=${name}\nredis.register_function("${f}",function(k,a) return a[1] end)`,
        )
      const names = Effect.map(
        run(client, "FUNCTION", "LIST"),
        (reply) => reply._tag === "Array" && reply.values.length,
      )
      yield* load("a", "fa")
      yield* load("b", "fb")
      const dump = yield* run(client, "FUNCTION", "DUMP")
      if (dump._tag !== "Bulk") throw new Error("no payload")
      yield* run(client, "FUNCTION", "FLUSH")
      expect(yield* run(client, "FUNCTION", "RESTORE", dump.value)).toEqual(Reply.ok)
      expect(yield* run(client, "FCALL", "fb", "0", "x")).toEqual(Reply.bulk("x"))
      yield* run(client, "FUNCTION", "FLUSH")
      // The second library of the payload cannot be had, so the first is not installed either.
      yield* load("c", "fb")
      expect(yield* run(client, "FUNCTION", "RESTORE", dump.value)).toMatchObject({
        message: "Function fb already exists",
      })
      expect(yield* names).toBe(1)
    }).pipe(Effect.provide(layer())),
  )
})
