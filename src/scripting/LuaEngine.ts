/**
 * Scripts in real Lua 5.1, compiled to WebAssembly. The interpreter is made when the first script arrives, and made anew
 * after a script that broke it or grew its memory; scripts and libraries are then compiled again when they are next used.
 *
 * The idea to hold: what a script leaves behind is only what Redis would keep (cjson's settings, the variables of a library);
 * whatever else could remain is protected against writing, and when in doubt the whole interpreter is thrown away.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { flat } from "../bytes/Bytes.ts"
import { Clock } from "../clock/Clock.ts"
import type * as Reply from "../codec/Reply.ts"
import { ScriptInvalid } from "../errors/ScriptErrors.ts"
import { Random } from "./lua/Random.ts"
import { functionOf } from "./lua/Registration.ts"
import type { RedisHost } from "./lua/RedisLibrary.ts"
import { errorReply, popReply } from "./lua/Values.ts"
import { type Mode, type Position, ScriptEnded, Vm, type Watch } from "./lua/Vm.ts"
import { registryIndex, type State, Status, Type, VmBroken } from "./lua/Wasm.ts"
import {
  type Invocation,
  type Library,
  type LibraryFunction,
  nothingInstalled,
  type Paused,
  type Script,
  ScriptEngine,
  type ScriptEngineService,
} from "./ScriptEngine.ts"
import * as Shebang from "./Shebang.ts"

export interface LuaLimits {
  /** No script gets more memory; it sees "not enough memory". */
  readonly memoryBytesMax: number
  /** No script runs longer, even one that catches every error. */
  readonly timeMsMax: number
  /** The same in Lua instructions, which also ends a script when the clock stands still. */
  readonly instructionsMax: number
}

const defaultLimits: LuaLimits = {
  memoryBytesMax: 512 * 1024 * 1024,
  timeMsMax: 60_000,
  instructionsMax: 5_000_000_000,
}

/** An interpreter whose memory grew beyond this is not kept. */
const keptMemoryBytesMax = 64 * 1024 * 1024
/** Loading a library takes no longer. */
const libraryTimeMsMax = 500
const libraryInstructionsMax = 200_000_000
const libraryWatch = {
  timeMsMax: libraryTimeMsMax,
  instructionsMax: libraryInstructionsMax,
  timeout: "FUNCTION LOAD timeout",
  pauseAtMs: Infinity,
  mayPause: () => false,
}
const version = "7.0.15"
const versionNumber = 0x07000f

/** The default engine with other limits. */
export const layerWith = (limits: Partial<LuaLimits>) =>
  Layer.effect(
    ScriptEngine,
    Effect.map(Clock, (clock) => make({ ...defaultLimits, ...limits }, clock.now)),
  )

export const layer = layerWith({})

/** A run that has begun: what is needed to go on with it and to make its reply. */
interface Run {
  readonly vm: Vm
  /** SHA1 or name of the function, as errors tell it. */
  readonly name: string
  readonly invocation: Invocation
  readonly watch: Watch
}

/** What a script's end says when it took longer than the server allows. */
const timeout = "Script ran longer than this server allows"

export const make = (limits: LuaLimits, now: () => number): ScriptEngineService => {
  const bySource = new Map<string, Script>()
  const bySha = new Map<string, Script>()
  let vm: Vm | undefined
  /** Registry references in `vm`: of compiled scripts by SHA1, and of functions by library. */
  let scriptRefs = new Map<string, number>()
  let libraryRefs = new WeakMap<Library, ReadonlyMap<string, number>>()
  let invocation: Invocation | undefined
  let registered: Map<string, { readonly definition: LibraryFunction; readonly ref: number }> | undefined

  const sha1 = (bytes: string): string => createHash("sha1").update(bytes, "latin1").digest("hex")

  const host: RedisHost = {
    random: new Random(),
    call: (argv) => invocation!.call(argv, host.protocol),
    aclAllows: (argv) => invocation!.aclAllows(argv),
    log: (level, message) => invocation?.log(level, message),
    setReplication: (flags) => invocation!.setReplication(flags),
    protocol: 2,
    sha1,
    version,
    versionNumber,
    register: (L) => {
      if (registered === undefined) return "redis.register_function can only be called on FUNCTION LOAD command"
      const found = functionOf(vm!, L)
      if (typeof found === "string") return found
      if (registered.has(found.definition.name)) return "Function already exists in the library"
      registered.set(found.definition.name, found)
      return undefined
    },
  }

  const interpreter = (): Vm => {
    if (vm === undefined) {
      scriptRefs = new Map()
      libraryRefs = new WeakMap()
      vm = new Vm(host, limits, now)
    }
    return vm
  }

  const discard = () => {
    vm = undefined
  }

  /** Runs `body` on the interpreter, which is thrown away if it breaks. */
  const guarded = <A>(body: () => A, broken: (error: VmBroken | RangeError) => A): A => {
    try {
      return body()
    } catch (error) {
      discard()
      // A RangeError is the end of JavaScript's own stack, reached from Lua.
      if (error instanceof VmBroken || error instanceof RangeError || isTrap(error)) return broken(error as VmBroken)
      throw error
    }
  }

  const compile = (script: Script): number | string => {
    const current = interpreter()
    let ref: number | string | undefined = scriptRefs.get(script.sha)
    if (ref !== undefined) return ref
    current.use("script")
    const body = Either.map(Shebang.ofScript(script.source), (parsed) => parsed.body)
    ref = current.compile(
      Either.getOrElse(body, () => script.source),
      "@user_script",
    )
    if (typeof ref === "number") scriptRefs.set(script.sha, ref)
    return ref
  }

  const load = (source: string): Either.Either<Script, ScriptInvalid> => {
    const known = bySource.get(source)
    if (known !== undefined) return Either.right(known)
    return Either.flatMap(Shebang.ofScript(source), ({ flags }) => {
      const kept = flat(source)
      const script: Script = { sha: sha1(kept), source: kept, flags }
      const ref = guarded<number | string>(
        () => compile(script),
        (error) => error.message,
      )
      if (typeof ref === "string") return Either.left(ScriptInvalid.compiling(ref))
      bySource.set(kept, script)
      bySha.set(script.sha, script)
      return Either.right(script)
    }) as Either.Either<Script, ScriptInvalid>
  }

  const begin = (current: Vm, mode: Mode, name: string, given: Invocation): Run => {
    invocation = given
    host.protocol = 2
    current.use(mode)
    const startedAtMs = now()
    const watch: Watch = {
      startedAtMs,
      timeMsMax: limits.timeMsMax,
      instructionsMax: limits.instructionsMax,
      timeout,
      pauseAtMs: startedAtMs + given.pauseAfterMs,
      mayPause: given.mayPause,
    }
    return { vm: current, name, invocation: given, watch }
  }

  const brokenReply =
    (name: string) =>
    (error: { readonly message: string }): Reply.Reply => {
      invocation = undefined
      return errorReply(`ERR Error running script ${name}, ${error.message}`)
    }

  const run = (script: Script, given: Invocation): Reply.Reply | Paused =>
    guarded<Reply.Reply | Paused>(() => {
      const ref = compile(script)
      if (typeof ref === "string") throw new VmBroken(ref)
      const current = interpreter()
      const started = begin(current, "script", script.sha, given)
      const L = current.stack
      const { lua } = current.wasm
      lua.lua_rawgeti(L, registryIndex, current.globals)
      setList(current, L, "KEYS", given.keys)
      setList(current, L, "ARGV", given.argv)
      lua.lua_settop(L, 0)
      lua.lua_rawgeti(L, registryIndex, ref)
      return settle(started, () => current.start(0, started.watch))
    }, brokenReply(script.sha))

  const runFunction = (library: Library, name: string, given: Invocation): Reply.Reply | Paused =>
    guarded<Reply.Reply | Paused>(() => {
      let refs = vm === undefined ? undefined : libraryRefs.get(library)
      if (refs === undefined) {
        const found = evaluateIn(interpreter(), library.source)
        if (typeof found === "string") throw new VmBroken(found)
        refs = new Map([...found].map(([key, { ref }]) => [key, ref]))
        libraryRefs.set(library, refs)
      }
      const current = interpreter()
      const started = begin(current, "function", name, given)
      const L = current.stack
      current.wasm.lua.lua_rawgeti(L, registryIndex, refs.get(name)!)
      pushList(current, L, given.keys)
      pushList(current, L, given.argv)
      return settle(started, () => current.start(2, started.watch))
    }, brokenReply(name))

  /** Runs until the end or the next pause. */
  const settle = (started: Run, step: () => number): Reply.Reply | Paused => {
    let status: number
    try {
      status = step()
    } catch (error) {
      if (!(error instanceof ScriptEnded)) throw error
      discard()
      return ended(started, `ERR ${error.message}`, error.position)
    }
    if (status === Status.yield) return paused(started)
    const { lua } = started.vm.wasm
    const L = started.vm.stack
    if (status !== Status.ok) return failed(started, status)
    lua.lua_settop(L, 1)
    const reply = popReply(started.vm, L, started.invocation.protocol, host.protocol)
    started.vm.finish(false)
    end(started)
    return reply
  }

  const end = ({ vm: used }: Run) => {
    invocation = undefined
    if (used.wasm.memoryBytes > keptMemoryBytesMax) discard()
  }

  /** An error with the place it came from, as Redis prints it. */
  const ended = (started: Run, message: string, position: Position | undefined): Reply.Reply => {
    invocation = undefined
    const place = position === undefined ? "" : `, on ${position.source}:${position.line}`
    return errorReply(`${message} script: ${started.name}${place}.`)
  }

  const failed = (started: Run, status: number): Reply.Reply => {
    const { vm: used } = started
    const L = used.stack
    let message: string
    let position: Position | undefined
    if (status === Status.errorMemory) message = "ERR not enough memory"
    else {
      position = used.position()
      message = errorMessage(used, L)
    }
    used.finish(true)
    const reply = ended(started, message, position)
    end(started)
    return reply
  }

  const paused = (started: Run): Paused => ({
    _tag: "Paused",
    resume: (sliceMs) =>
      guarded<Reply.Reply | Paused>(() => {
        started.watch.pauseAtMs = now() + sliceMs
        return settle(started, () => started.vm.resume())
      }, brokenReply(started.name)),
    kill: (message) => {
      const position = started.vm.pausedAt
      started.vm.finish(true)
      const reply = ended(started, `ERR ${message}`, position)
      end(started)
      return reply
    },
  })

  /** Runs a library's source; the functions it registered, or what is wrong with it. */
  const evaluateIn = (current: Vm, source: string): Registered | string => {
    const parsed = Shebang.ofLibrary(source)
    if (Either.isLeft(parsed)) return parsed.left.message
    const { lua } = current.wasm
    current.use("function")
    const ref = current.compile(parsed.right.body, "@user_function")
    if (typeof ref === "string") return ScriptInvalid.compilingLibrary(ref).message
    const L = current.stack
    const found: Registered = new Map()
    registered = found
    current.setLoading(true)
    try {
      lua.lua_rawgeti(L, registryIndex, ref)
      const status = current.start(0, { ...libraryWatch, startedAtMs: now() })
      if (status !== Status.ok) {
        const message = errorMessage(current, L)
        current.finish(true)
        return ScriptInvalid.registering(message).message
      }
      current.finish(false)
      if (found.size === 0) return "No functions registered"
      return found
    } catch (error) {
      if (!(error instanceof ScriptEnded)) throw error
      discard()
      return ScriptInvalid.registering(`ERR ${error.message}`).message
    } finally {
      registered = undefined
      current.setLoading(false)
      current.forget(ref)
    }
  }

  const evaluate = (name: string, source: string): Either.Either<Library, ScriptInvalid> => {
    const kept = flat(source)
    const found = guarded<Registered | string>(
      () => evaluateIn(interpreter(), kept),
      (error) => error.message,
    )
    if (typeof found === "string") return Either.left(new ScriptInvalid(found))
    const functions = [...found.values()].map(({ definition }) => definition)
    const library: Library = { name, source: kept, functions }
    libraryRefs.set(library, new Map([...found].map(([key, { ref }]) => [key, ref])))
    return Either.right(library)
  }

  return {
    load,
    find: (sha) => bySha.get(sha),
    flush: () => {
      bySource.clear()
      bySha.clear()
      discard()
    },
    scriptCount: () => bySha.size,
    run,
    evaluate,
    runFunction,
    slow: undefined,
    memoryBytes: () => vm?.wasm.memoryBytes ?? 0,
    scriptBytes: () => {
      let bytes = 0
      for (const { sha, source } of bySha.values()) bytes += sha.length + source.length
      return bytes
    },
    installed: nothingInstalled,
  }
}

type Registered = Map<string, { readonly definition: LibraryFunction; readonly ref: number }>

/** Pushes the elements as a Lua array. */
const pushList = (vm: Vm, L: State, elements: ReadonlyArray<string>): void => {
  const { wasm } = vm
  wasm.lua.lua_createtable(L, elements.length, 0)
  for (let i = 0; i < elements.length; i++) {
    wasm.pushString(L, elements[i]!)
    wasm.lua.lua_rawseti(L, -2, i + 1)
  }
}

const setList = (vm: Vm, L: State, name: string, elements: ReadonlyArray<string>): void => {
  vm.wasm.pushString(L, name)
  pushList(vm, L, elements)
  vm.wasm.lua.lua_rawset(L, -3)
}

/** The text of the error on top of the stack. */
const errorMessage = (vm: Vm, L: State): string => {
  const { wasm } = vm
  const { lua } = wasm
  switch (lua.lua_type(L, -1)) {
    case Type.table: {
      wasm.pushString(L, "err")
      lua.lua_rawget(L, -2)
      // Redis 7.0.15 itself ends here; any text is better.
      return wasm.toString(L, -1) ?? "ERR unknown error"
    }
    case Type.string:
    case Type.number:
      return `ERR ${wasm.toString(L, -1)}`
    case Type.boolean:
      return `ERR ${lua.lua_toboolean(L, -1) !== 0}`
    case Type.nil:
      return "ERR nil"
    default:
      return "ERR error object is not a string"
  }
}

/** Traps of WebAssembly are not a class that the library types know. */
const isTrap = (error: unknown): boolean => error instanceof Error && error.name === "RuntimeError"
