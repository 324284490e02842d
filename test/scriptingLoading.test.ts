/** When the interpreter is loaded: not at all where scripting is left out, and its WebAssembly with the first script. */
import { afterAll, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { vi } from "vitest"
import * as Reply from "../src/codec/Reply.ts"
import { ScriptEngine } from "../src/scripting/ScriptEngine.ts"
import * as Server from "../src/Server.ts"
import { connect, run, testSettings } from "./support/TestServer.ts"

const { counts: loaded, restore } = vi.hoisted(() => {
  // A file of tests run before this one in the same process may have loaded the server.
  vi.resetModules()
  const counts = { engine: 0, interpreter: 0, modules: 0 }
  // Before anything of the interpreter looks at it.
  const namespace = (globalThis as unknown as { readonly WebAssembly: { Module: new (bytes: Uint8Array) => object } })
    .WebAssembly
  const { Module } = namespace
  namespace.Module = class extends Module {
    constructor(bytes: Uint8Array) {
      super(bytes)
      counts.modules++
    }
  }
  return { counts, restore: () => (namespace.Module = Module) }
})
vi.mock("../src/scripting/LuaEngine.ts", (original) => {
  loaded.engine++
  return original()
})
vi.mock("../src/scripting/lua/Wasm.ts", (original) => {
  loaded.interpreter++
  return original()
})

afterAll(() => {
  restore()
  vi.resetModules()
})

it.effect("a server without scripting loads nothing of it", () =>
  Effect.gen(function* () {
    const client = yield* connect
    expect(yield* run(client, "EVAL", "return 1", "0")).toMatchObject({ message: "This server has no scripting" })
    expect(yield* run(client, "PING")).toEqual(Reply.pong)
    expect(loaded).toEqual({ engine: 0, interpreter: 0, modules: 0 })
  }).pipe(Effect.provide(Server.layerTest(testSettings, { scripts: ScriptEngine.layerNoop }))),
)

it.effect("a server with scripting compiles the interpreter when the first script comes", () =>
  Effect.gen(function* () {
    const client = yield* connect
    yield* run(client, "SET", "k", "v")
    yield* run(client, "SCRIPT", "EXISTS", "x")
    yield* run(client, "FUNCTION", "LIST")
    expect(loaded).toEqual({ engine: 1, interpreter: 1, modules: 0 })
    expect(yield* run(client, "EVAL", "return redis.call('get','k')", "0")).toEqual(Reply.bulk("v"))
    expect(loaded.modules).toBeGreaterThan(0)
  }).pipe(Effect.provide(Server.layerTest(testSettings))),
)
