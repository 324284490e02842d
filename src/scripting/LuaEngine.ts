/**
 * Scripts in real Lua 5.1, compiled to WebAssembly: what is cached, and what is compiled when. Scripts and functions have an
 * interpreter each, as in Redis, so that forgetting all scripts leaves the variables of libraries alone.
 *
 * The idea to hold: what a script leaves behind is only what Redis would keep (cjson's settings, the variables of a library);
 * whatever else could remain is protected against writing, and when in doubt the whole interpreter is thrown away. Scripts
 * and libraries are then compiled again when they are next used.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { flat } from "../bytes/Bytes.ts"
import { Clock } from "../clock/Clock.ts"
import { Config } from "../config/Config.ts"
import type { CommandError } from "../errors/CommandError.ts"
import { ScriptInvalid } from "../errors/ScriptErrors.ts"
import { type Callee, errorMessage, Interpreter, type LuaLimits } from "./Interpreter.ts"
import { Random } from "./lua/Random.ts"
import { functionOf } from "./lua/Registration.ts"
import { ScriptEnded, type Vm } from "./lua/Vm.ts"
import { registryIndex, type State, Status, VmBroken } from "./lua/Wasm.ts"
import {
  type Invocation,
  type Library,
  type LibraryFunction,
  nothingInstalled,
  type Script,
  ScriptEngine,
  type ScriptEngineService,
} from "./ScriptEngine.ts"
import * as Shebang from "./Shebang.ts"

/** Ends what never asks the time, or asks a clock that stands still. */
const instructionsMax = 5_000_000_000

/** The limits are the settings `script-time-limit` and `script-memory-limit`. */
export const layer = Layer.effect(
  ScriptEngine,
  Effect.gen(function* () {
    const clock = yield* Clock
    const config = yield* Config
    return make(
      () => ({
        memoryBytesMax: config.current.scriptMemoryLimit || Infinity,
        timeMsMax: config.current.scriptTimeLimit || Infinity,
        instructionsMax,
      }),
      clock.now,
    )
  }),
)

/** Loading a library takes no longer. */
const libraryWatch = {
  timeMsMax: 500,
  instructionsMax: 200_000_000,
  timeout: "FUNCTION LOAD timeout",
  pauseAtMs: Infinity,
}

export const make = (limits: () => LuaLimits, now: () => number): ScriptEngineService => {
  const sha1 = (bytes: string): string => createHash("sha1").update(bytes, "latin1").digest("hex")
  const services = { limits, now, sha1, random: new Random() }
  const scripts = new Interpreter("script", services)
  const functions = new Interpreter("function", services)
  const bySource = new Map<string, CachedScript>()
  const bySha = new Map<string, CachedScript>()
  const functionsOf = new WeakMap<Library, ReadonlyMap<string, CachedFunction>>()
  /** The script that was found last: most often it comes again, and comparing its SHA1 is cheaper than hashing it. */
  let lastFound: CachedScript | undefined

  const load = (source: string): Either.Either<Script, CommandError> => {
    const known = bySource.get(source)
    if (known !== undefined) return Either.right(known)
    return Either.flatMap(Shebang.ofScript(source), ({ flags, body }) => {
      const kept = flat(source)
      const script = new CachedScript(sha1(kept), kept, flags, kept.length - body.length)
      const failure = scripts.guarded(
        () => script.compile(scripts.current()),
        (error) => error.message,
      )
      if (failure !== undefined) return Either.left<CommandError>(ScriptInvalid.compiling(failure))
      bySource.set(kept, script)
      bySha.set(script.sha, script)
      return Either.right(script)
    })
  }

  const find = (sha: string): Script | undefined => {
    if (lastFound !== undefined && lastFound.sha === sha) return lastFound
    const found = bySha.get(sha)
    if (found !== undefined) lastFound = found
    return found
  }

  /** Runs the source of a library; the functions it registered, or what is wrong with it. */
  const register = (source: string): Registered | string => {
    const parsed = Shebang.ofLibrary(source)
    if (Either.isLeft(parsed)) return parsed.left.message
    const vm = functions.current()
    const { lua } = vm.wasm
    const chunk = vm.compile(parsed.right.body, "@user_function")
    if (typeof chunk === "string") return ScriptInvalid.compilingLibrary(chunk).message
    const found: Registered = new Map()
    functions.registering = (_, L) => {
      const one = functionOf(vm, L)
      if (typeof one === "string") return one
      if (found.has(one.definition.name)) return "Function already exists in the library"
      found.set(one.definition.name, { definition: one.definition, callee: new CachedFunction(vm, one) })
      return undefined
    }
    vm.setLoading(true)
    let failure: string | undefined
    try {
      lua.lua_rawgeti(vm.stack, registryIndex, chunk)
      const status = vm.start(0, { ...libraryWatch, startedAtMs: now() })
      if (status !== Status.ok) failure = ScriptInvalid.registering(errorMessage(vm, vm.stack)).message
      else if (found.size === 0) failure = "No functions registered"
      vm.finish(status !== Status.ok)
    } catch (error) {
      if (!(error instanceof ScriptEnded)) throw error
      functions.discard()
      return ScriptInvalid.registering(`ERR ${error.message}`).message
    } finally {
      functions.registering = undefined
      if (functions.isCurrent(vm)) {
        vm.setLoading(false)
        vm.forget(chunk)
      }
    }
    if (failure === undefined) return found
    for (const { callee } of found.values()) callee.forget()
    return failure
  }

  const install = (library: Library, found: Registered): ReadonlyMap<string, CachedFunction> => {
    const callees = new Map([...found].map(([name, { callee }]) => [name, callee]))
    functionsOf.set(library, callees)
    return callees
  }

  const evaluate = (name: string, source: string): Either.Either<Library, CommandError> => {
    const kept = flat(source)
    const found = functions.guarded<Registered | string>(
      () => register(kept),
      (error) => error.message,
    )
    if (typeof found === "string") return Either.left(new ScriptInvalid(found))
    const library: Library = {
      name,
      source: kept,
      functions: [...found.values()].map(({ definition }) => definition),
    }
    install(library, found)
    return Either.right(library)
  }

  /** The function in the interpreter of now; its library runs again if that is another than when it was loaded. */
  const calleeOf = (library: Library, name: string): CachedFunction => {
    const known = functionsOf.get(library)?.get(name)
    if (known !== undefined && functions.isCurrent(known.vm)) return known
    const found = register(library.source)
    if (typeof found === "string") throw new VmBroken(found)
    return install(library, found).get(name)!
  }

  const runFunction = (library: Library, name: string, given: Invocation) =>
    functions.run({ name, enter: (vm, invocation) => calleeOf(library, name).enter(vm, invocation) }, given)

  return {
    load,
    find,
    flush: () => {
      bySource.clear()
      bySha.clear()
      lastFound = undefined
      scripts.discard()
    },
    scriptCount: () => bySha.size,
    run: (script, invocation) => scripts.run(script as CachedScript, invocation),
    evaluate,
    forget: (library) => {
      for (const callee of functionsOf.get(library)?.values() ?? []) {
        if (functions.isCurrent(callee.vm)) callee.forget()
      }
      functionsOf.delete(library)
    },
    runFunction,
    slow: undefined,
    allowsAny: false,
    memoryBytes: () => ({ scripts: scripts.memoryBytes, functions: functions.memoryBytes }),
    scriptBytes: () => {
      let bytes = 0
      for (const { sha, source } of bySha.values()) bytes += sha.length + source.length
      return bytes
    },
    installed: nothingInstalled,
  }
}

type Registered = Map<string, { readonly definition: LibraryFunction; readonly callee: CachedFunction }>

class CachedScript implements Script, Callee {
  readonly sha: string
  readonly source: string
  readonly flags: Shebang.Flags | undefined
  /** Where in the source the code begins. */
  private readonly bodyAt: number
  /** The interpreter it was compiled in last, and its reference there. */
  private vm: Vm | undefined
  private ref = 0

  constructor(sha: string, source: string, flags: Shebang.Flags | undefined, bodyAt: number) {
    this.sha = sha
    this.source = source
    this.flags = flags
    this.bodyAt = bodyAt
  }

  get name(): string {
    return this.sha
  }

  /** Gives Lua's message when it does not compile. */
  compile(vm: Vm): string | undefined {
    const ref = vm.compile(this.source.slice(this.bodyAt), "@user_script")
    if (typeof ref === "string") return ref
    this.vm = vm
    this.ref = ref
    return undefined
  }

  enter(vm: Vm, { keys, argv }: Invocation): number {
    if (this.vm !== vm) {
      const failure = this.compile(vm)
      if (failure !== undefined) throw new VmBroken(failure)
    }
    const L = vm.stack
    const { lua } = vm.wasm
    lua.lua_rawgeti(L, registryIndex, vm.globals)
    lua.lua_rawgeti(L, registryIndex, vm.keysName)
    pushList(vm, L, keys)
    lua.lua_rawset(L, -3)
    lua.lua_rawgeti(L, registryIndex, vm.argvName)
    pushList(vm, L, argv)
    lua.lua_rawset(L, -3)
    lua.lua_settop(L, 0)
    lua.lua_rawgeti(L, registryIndex, this.ref)
    return 0
  }
}

class CachedFunction {
  /** The interpreter it lives in. */
  readonly vm: Vm
  private readonly ref: number

  constructor(vm: Vm, { ref }: { readonly ref: number }) {
    this.vm = vm
    this.ref = ref
  }

  enter(vm: Vm, { keys, argv }: Invocation): number {
    vm.wasm.lua.lua_rawgeti(vm.stack, registryIndex, this.ref)
    pushList(vm, vm.stack, keys)
    pushList(vm, vm.stack, argv)
    return 2
  }

  /** Lets Lua collect it. */
  forget(): void {
    this.vm.forget(this.ref)
  }
}

/** Pushes the elements as a Lua array. */
const pushList = (vm: Vm, L: State, elements: ReadonlyArray<string>): void => {
  const { wasm } = vm
  wasm.lua.lua_createtable(L, elements.length, 0)
  for (let i = 0; i < elements.length; i++) {
    wasm.pushString(L, elements[i]!)
    wasm.lua.lua_rawseti(L, -2, i + 1)
  }
}
