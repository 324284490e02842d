/**
 * One Lua state made into what a Redis script sees: the libraries, the globals, and the clock that ends a script which does not
 * end by itself. The tables that no script may change are in Tables.ts.
 *
 * Scripts run as a coroutine, because only a coroutine can be left in the middle and continued: that is how a slow script
 * lets other clients be told BUSY.
 * Differs: Redis's own Lua hashes strings of 32 and more bytes in another way, so `pairs` may give such keys in another order;
 * `tostring` of a C pointer (cjson.null) prints it as this C library does; arguments of string functions, `select`, `unpack` and `table.concat` that
 * do not fit 32 bits are cut to them, where Redis has 64; a reader function of `load` that fails gives its message and not a table.
 * The invariant: after `VmBroken`, or an exception that is no Lua error, the state is not touched again.
 */
import { base } from "./BaseLibrary.ts"
import { bit } from "./BitLibrary.ts"
import { cjson } from "./CjsonLibrary.ts"
import { cmsgpack } from "./CmsgpackLibrary.ts"
import { math } from "./MathLibrary.ts"
import type { Random } from "./Random.ts"
import { libraryRedis, redis, type RedisHost } from "./RedisLibrary.ts"
import { string } from "./StringLibrary.ts"
import { struct } from "./StructLibrary.ts"
import { Tables } from "./Tables.ts"
import { globalsIndex, registryIndex, type State, Status } from "./Wasm.ts"

export interface VmLimits {
  readonly memoryBytesMax: number
}

/** Scripts and functions of libraries see different globals. */
export type Mode = "script" | "function"

/** How long a running script may take. */
export interface Watch {
  /** When it began, or went on. */
  startedAtMs: number
  readonly timeMsMax: number
  /** The same in Lua instructions, for a clock that stands still. */
  readonly instructionsMax: number
  /** The message of the end when it took longer. */
  readonly timeout: string
  /** Unix ms from which on the script pauses where it can; Infinity when it must not. */
  pauseAtMs: number
}

/** Ends a script for good: thrown through all Lua frames. */
export class ScriptEnded extends Error {
  readonly _tag = "ScriptEnded"
  readonly position: Position | undefined
  constructor(message: string, position: Position | undefined) {
    super(message)
    this.position = position
  }
}

/** Where a script was: the chunk's name as given, and the line. */
export interface Position {
  readonly source: string
  readonly line: number
}

/** The hook runs after so many instructions (about 10 us). */
const hookInstructions = 2000
/** Offsets in `lua_State` as wasm32 lays it out; `checkPausable` tries them before they are believed. */
const callDepthOffset = 52
const baseCallDepthOffset = 54
const hookMaskOffset = 56
/** `LUA_MASKCOUNT` */
const countMask = 8
/** Offsets in `lua_Debug`. */
const whatOffset = 12
const sourceOffset = 16
const lineOffset = 20
const recordBytes = 128

export class Vm extends Tables {
  readonly random: Random
  /** The state to push a function and its arguments on before `start`; its results lie there afterwards. */
  stack: State = 0
  private stackRef = 0
  /** Registry reference of the protected table that scripts have as globals. */
  private readonly front: number
  /** References of what `getmetatable` shows for the protected global tables and for strings. */
  globalsMetatable = 0
  stringMetatable = 0
  /** Registry references of the names under which scripts find their words. */
  readonly keysName: number
  readonly argvName: number
  /** What the globals of a library are, one while it is loaded and another when its functions run. */
  private libraryMetatable = 0
  private loadingGlobals = 0
  private functionGlobals = 0
  private readonly hook: number
  private readonly record: number
  private readonly now: () => number
  private watch: Watch = {
    startedAtMs: 0,
    timeMsMax: Infinity,
    instructionsMax: Infinity,
    timeout: "",
    pauseAtMs: Infinity,
  }
  private instructions = 0
  private canPause = false
  /** Where the thread was when it paused last. */
  pausedAt: Position | undefined

  constructor(mode: Mode, host: RedisHost, limits: VmLimits, now: () => number) {
    super(limits.memoryBytesMax)
    this.random = host.random
    this.now = now
    const { wasm, L } = this
    const { lua } = wasm
    this.record = wasm.allocate(recordBytes)
    this.hook = wasm.addHook((state, record) => this.onHook(state, record))
    for (const name of withheld) this.setGlobal(name, () => lua.lua_pushnil(L))
    base(this)
    this.extend("string", string(this))
    this.extend("math", math(this))
    this.addTable("bit", bit(this))
    this.addTable("struct", struct(this))
    cmsgpack(this)
    cjson(this)
    redis(this, host)
    for (const name of protectedLibraries) this.protectLibrary(name)
    lua.lua_sethook(L, this.hook, countMask, hookInstructions)
    this.front = mode === "script" ? this.protectGlobals() : this.makeLibraryGlobals(host)
    this.showMetatables()
    this.keysName = this.anchored("KEYS")
    this.argvName = this.anchored("ARGV")
    this.renew()
    this.canPause = this.checkPausable()
  }

  private anchored(text: string): number {
    this.wasm.pushString(this.L, text)
    return this.wasm.lua.luaL_ref(this.L, registryIndex)
  }

  private protectLibrary(name: string): void {
    this.pushGlobal(name)
    this.protect()
    const ref = this.wasm.lua.luaL_ref(this.L, registryIndex)
    this.setGlobal(name, () => this.wasm.lua.lua_rawgeti(this.L, registryIndex, ref))
  }

  private protectGlobals(): number {
    const { lua } = this.wasm
    lua.lua_rawgeti(this.L, registryIndex, this.globals)
    const ref = this.protectAsGlobals()
    this.setGlobal("_G", () => lua.lua_rawgeti(this.L, registryIndex, ref))
    return ref
  }

  /**
   * The globals of function libraries: while a library is loaded only `redis` with `register_function` and logging, later
   * what scripts have, except what is about replication of whole scripts and debugging.
   */
  private makeLibraryGlobals(host: RedisHost): number {
    const { lua } = this.wasm
    const L = this.L
    lua.lua_createtable(L, 0, 0)
    lua.lua_rawgeti(L, registryIndex, this.globals)
    lua.lua_pushnil(L)
    while (lua.lua_next(L, -2) !== 0) {
      lua.lua_pushvalue(L, -2)
      lua.lua_insert(L, -2)
      lua.lua_rawset(L, -5)
    }
    lua.lua_settop(L, -2)
    this.setField("redis", () => {
      this.pushGlobal("redis")
      const ref = this.hiddenOf(L, -1)!
      lua.lua_settop(L, -2)
      lua.lua_createtable(L, 0, 0)
      lua.lua_rawgeti(L, registryIndex, ref)
      lua.lua_pushnil(L)
      while (lua.lua_next(L, -2) !== 0) {
        lua.lua_pushvalue(L, -2)
        lua.lua_insert(L, -2)
        lua.lua_rawset(L, -5)
      }
      lua.lua_settop(L, -2)
      for (const name of onlyInScripts) this.setField(name, () => lua.lua_pushnil(L))
      this.protect()
    })
    lua.lua_pushvalue(L, -1)
    this.functionGlobals = lua.luaL_ref(L, registryIndex)
    const front = this.protectAsGlobals()
    lua.lua_rawgeti(L, registryIndex, this.functionGlobals)
    this.setField("_G", () => lua.lua_rawgeti(L, registryIndex, front))
    lua.lua_settop(L, -2)

    lua.lua_createtable(L, 0, 0)
    this.setField("redis", () => {
      lua.lua_createtable(L, 0, 0)
      libraryRedis(this, host)
      this.pushComplaining()
      lua.lua_setmetatable(L, -2)
      this.protect()
    })
    this.pushComplaining()
    lua.lua_setmetatable(L, -2)
    this.loadingGlobals = lua.luaL_ref(L, registryIndex)
    lua.lua_rawgeti(L, registryIndex, front)
    lua.lua_getmetatable(L, -1)
    this.libraryMetatable = lua.luaL_ref(L, registryIndex)
    lua.lua_settop(L, -2)
    return front
  }

  /** Lets library code see what there is while it is loaded, or what its functions see. */
  setLoading(loading: boolean): void {
    const { lua } = this.wasm
    lua.lua_rawgeti(this.L, registryIndex, this.libraryMetatable)
    this.setField("__index", () =>
      lua.lua_rawgeti(this.L, registryIndex, loading ? this.loadingGlobals : this.functionGlobals),
    )
    lua.lua_settop(this.L, -2)
  }

  private showMetatables(): void {
    const { lua } = this.wasm
    this.pushComplaining()
    this.protect()
    this.globalsMetatable = lua.luaL_ref(this.L, registryIndex)
    lua.lua_createtable(this.L, 0, 1)
    this.setField("__index", () => this.pushGlobal("string"))
    this.protect()
    this.stringMetatable = lua.luaL_ref(this.L, registryIndex)
  }

  /** A new coroutine to run scripts in. */
  private renew(): void {
    const { lua } = this.wasm
    if (this.stackRef !== 0) lua.luaL_unref(this.L, registryIndex, this.stackRef)
    this.stack = lua.lua_newthread(this.L)
    this.stackRef = lua.luaL_ref(this.L, registryIndex)
    lua.lua_rawgeti(this.stack, registryIndex, this.front)
    lua.lua_replace(this.stack, globalsIndex)
  }

  /** Believes the offsets into `lua_State` only if they show what must be there. */
  private checkPausable(): boolean {
    const { lua, bytes } = this.wasm
    const state = this.stack
    if (bytes[state + hookMaskOffset] !== countMask) return false
    const depths: Array<number> = []
    const probe = this.wasm.addFunctions([
      (L) => {
        depths.push(this.depthOf(L, callDepthOffset) - this.depthOf(L, baseCallDepthOffset))
        return 0
      },
    ])
    if (this.wasm.load(state, "local f = ... f() pcall(f) f()", "=") !== Status.ok) return false
    lua.lua_pushcclosure(state, probe, 0)
    const status = lua.lua_resume(state, 1)
    lua.lua_settop(state, 0)
    return status === Status.ok && depths.length === 3 && depths[0] === 0 && depths[1]! > 0 && depths[2] === 0
  }

  private depthOf(L: State, offset: number): number {
    const { bytes } = this.wasm
    return bytes[L + offset]! | (bytes[L + offset + 1]! << 8)
  }

  private onHook(L: State, record: number): void {
    this.instructions += hookInstructions
    const now = this.now()
    if (now - this.watch.startedAtMs >= this.watch.timeMsMax || this.instructions >= this.watch.instructionsMax) {
      throw new ScriptEnded(this.watch.timeout, this.positionOf(L, record))
    }
    if (now < this.watch.pauseAtMs || L !== this.stack || !this.canPause) return
    // A pcall, a sort or a metamethod in between has its frame on the C stack, which cannot be left and entered again.
    if (this.depthOf(L, callDepthOffset) !== this.depthOf(L, baseCallDepthOffset)) return
    // Lua's own answer would be off by one instruction while it is paused.
    this.pausedAt = this.positionOf(L, record)
    this.wasm.lua.lua_yield(L, 0)
  }

  /** For functions of ours that can take long: ends the script when its time is over. */
  checkTime(L: State): void {
    if (this.now() - this.watch.startedAtMs < this.watch.timeMsMax) return
    throw new ScriptEnded(this.watch.timeout, this.position(L))
  }

  private positionOf(L: State, record: number): Position {
    this.wasm.lua.lua_getinfo(L, this.wasm.literal("Sl"), record)
    return this.positionIn(record)
  }

  private positionIn(record: number): Position {
    const { words } = this.wasm
    return {
      source: this.wasm.cString(words[(record + sourceOffset) >> 2]!, 200),
      line: words[(record + lineOffset) >> 2]! | 0,
    }
  }

  /** Where the thread is, or where it died: the innermost Lua function, looking past one C function. */
  position(L: State = this.stack): Position | undefined {
    const { lua, words } = this.wasm
    const record = this.record
    for (let level = 0; level < 2; level++) {
      if (lua.lua_getstack(L, level, record) === 0) return undefined
      lua.lua_getinfo(L, this.wasm.literal("nSl"), record)
      const what = this.wasm.cString(words[(record + whatOffset) >> 2]!, 4)
      if (what === "C" && level === 0) continue
      return this.positionIn(record)
    }
    return undefined
  }

  /** Runs the function below `argumentCount` arguments. `Status.yield` means paused: go on with `resume`. */
  start(argumentCount: number, watch: Watch): number {
    this.watch = watch
    this.instructions = 0
    return this.wasm.lua.lua_resume(this.stack, argumentCount)
  }

  resume(): number {
    this.instructions = 0
    return this.wasm.lua.lua_resume(this.stack, 0)
  }

  /** Makes the thread fit for the next script. One that died of an error, or was left in the middle, cannot be used again. */
  finish(failed: boolean): void {
    if (failed) this.renew()
    else this.wasm.lua.lua_settop(this.stack, 0)
  }

  /** Compiles a chunk; gives the registry reference of its function, or Lua's message. */
  compile(source: string, chunkName: string): number | string {
    const { lua } = this.wasm
    const L = this.stack
    const status = this.wasm.load(L, source, chunkName)
    if (status === Status.ok) return lua.luaL_ref(L, registryIndex)
    const message = this.wasm.toString(L, -1) ?? ""
    lua.lua_settop(L, -2)
    return message
  }

  forget(ref: number): void {
    this.wasm.lua.luaL_unref(this.L, registryIndex, ref)
  }
}

/** What Lua brings and scripts do not get: everything that reads files, and what would reach another function's globals. */
const withheld = ["dofile", "loadfile", "print", "newproxy", "getfenv", "setfenv", "module", "require", "package"]
/** Parts of `redis` that functions do not have. */
const onlyInScripts = ["breakpoint", "debug", "replicate_commands"]
const protectedLibraries = ["string", "table", "math", "coroutine", "bit", "struct", "cjson", "cmsgpack", "redis"]
