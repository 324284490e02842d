/**
 * One instance of the Lua 5.1 WebAssembly module (LuaModule.ts): its memory as bytes, its C functions, and the way back from
 * Lua into JavaScript. What Redis makes of Lua (libraries, protected tables, limits) is built on top of it.
 *
 * The JavaScript glue that comes with the module is left aside, because ours owns the growth of the memory (a limit in bytes),
 * hands over byte strings without a UTF-8 detour and knows no file system.
 *
 * The idea to hold: a Lua error is a `longjmp`, and a `longjmp` is a JavaScript exception (`longJump`) that `invoke_vii`
 * catches at the `setjmp`. Any other exception passes through all Lua frames and leaves the state unusable: that is how a
 * script is ended for good (see `Vm`), even inside its own `pcall`.
 */
import { flat } from "../../bytes/Bytes.ts"
import { asWasm, type CFunction, type Exports, type FunctionTable, instantiate, type Needed } from "./LuaModule.ts"
import type { Pointer, State } from "./LuaModule.ts"

export type { State } from "./LuaModule.ts"

export const registryIndex = -10000
export const globalsIndex = -10002
export const Type = {
  none: -1,
  nil: 0,
  boolean: 1,
  lightUserdata: 2,
  number: 3,
  string: 4,
  table: 5,
  function: 6,
  userdata: 7,
  thread: 8,
} as const
export const Status = { ok: 0, yield: 1, errorRun: 2, errorSyntax: 3, errorMemory: 4, errorError: 5 } as const

/** The exception that stands for a C `longjmp`: a Lua error on its way to the nearest `pcall`. */
const longJump = { longJump: true }

/** The instance cannot go on: it panicked, or WebAssembly itself trapped. Whoever holds it makes a new one. */
export class VmBroken extends Error {
  readonly _tag = "VmBroken"
}

const pageBytes = 65536
/** Strings up to this length travel through one buffer that is never given back. */
const scratchBytes = 64 * 1024
/** Below this length a loop over the chars is faster than a call of Buffer. */
const loopLengthMax = 24

/** Offsets in `lua_State`, `TValue` and `TString` as wasm32 lays them out; `checkLayout` tries them. */
const topOffset = 8
const baseOffset = 12
const valueBytes = 16
const typeOffset = 8
const textLengthOffset = 12
const textOffset = 16

/** Texts up to this length are looked for among the recent ones: what fits into two words. */
const wordLengthMax = 8
const wordSlotMask = 255
interface RecentWord {
  readonly first: number
  readonly second: number
  readonly text: string
}

export interface WasmOptions {
  /** The memory never grows beyond; Lua sees "not enough memory". */
  readonly memoryBytesMax: number
}

export class Wasm {
  readonly lua: Exports
  memoryBytesMax: number
  /** The memory as it is now; the views are replaced whenever it grows. */
  bytes: Uint8Array
  words: Uint32Array
  private doubles: Float64Array
  private readsStack = false
  private readonly recentWords = new Array<RecentWord | undefined>(wordSlotMask + 1).fill(undefined)
  private buffer: Buffer
  private readonly table: FunctionTable
  private readonly scratch: Pointer
  /** Where `lua_tolstring` leaves a length. */
  private readonly lengthCell: Pointer
  private readonly literals = new Map<string, Pointer>()

  constructor(options: WasmOptions) {
    this.memoryBytesMax = options.memoryBytesMax
    this.lua = instantiate((needed) => this.imports(needed))
    this.table = this.lua.__indirect_function_table
    this.bytes = new Uint8Array(this.lua.memory.buffer)
    this.words = new Uint32Array(this.lua.memory.buffer)
    this.doubles = new Float64Array(this.lua.memory.buffer)
    this.buffer = Buffer.from(this.lua.memory.buffer)
    this.lua.emscripten_stack_init()
    this.lua.__wasm_call_ctors()
    this.scratch = this.lua.malloc(scratchBytes)
    this.lengthCell = this.lua.malloc(8)
  }

  get memoryBytes(): number {
    return this.bytes.length
  }

  /**
   * Believes the offsets into Lua's structures only if they show what must be there; `L` is a fresh state. Reading arguments where
   * they lie costs a fifth of asking Lua for each one's type, length and place.
   */
  checkLayout(L: State): void {
    const { lua } = this
    this.pushString(L, "a word")
    lua.lua_pushnumber(L, 1.5)
    this.readsStack =
      this.words[(L + topOffset) >> 2]! - this.words[(L + baseOffset) >> 2]! === 2 * valueBytes &&
      this.argumentAt(L, 1) === "a word" &&
      this.argumentAt(L, 2) === 1.5
    lua.lua_settop(L, 0)
  }

  /** How many values the running function was called with. */
  argumentCount(L: State): number {
    if (!this.readsStack) return this.lua.lua_gettop(L)
    return (this.words[(L + topOffset) >> 2]! - this.words[(L + baseOffset) >> 2]!) / valueBytes
  }

  /** The string or number at `index`, which must be there; undefined for other types. */
  argument(L: State, index: number): string | number | undefined {
    if (this.readsStack) return this.argumentAt(L, index)
    const type = this.lua.lua_type(L, index)
    if (type === Type.string) return this.toString(L, index)
    return type === Type.number ? this.lua.lua_tonumber(L, index) : undefined
  }

  private argumentAt(L: State, index: number): string | number | undefined {
    const { words } = this
    const value = words[(L + baseOffset) >> 2]! + (index - 1) * valueBytes
    const type = words[(value + typeOffset) >> 2]
    if (type === Type.string) {
      const text = words[value >> 2]!
      return this.word(text + textOffset, words[(text + textLengthOffset) >> 2]!)
    }
    return type === Type.number ? this.doubles[value >> 3] : undefined
  }

  /** Like `slice`; a short text is given as the same string again, with its hash: names of commands come again and again. */
  private word(pointer: Pointer, length: number): string {
    if (length === 0 || length > wordLengthMax) return this.slice(pointer, length)
    // What lies behind the text is left out of the comparison.
    const first = this.words[pointer >> 2]! & (length < 4 ? (1 << (8 * length)) - 1 : -1)
    const second = length > 4 ? this.words[(pointer >> 2) + 1]! & (length < 8 ? (1 << (8 * (length - 4))) - 1 : -1) : 0
    const slot = (Math.imul(first ^ Math.imul(second, 0x9e3779b1) ^ length, 0x85ebca6b) >>> 16) & wordSlotMask
    const known = this.recentWords[slot]
    if (known !== undefined && known.first === first && known.second === second && known.text.length === length) {
      return known.text
    }
    const text = this.slice(pointer, length)
    this.recentWords[slot] = { first, second, text }
    return text
  }

  private refresh(): void {
    this.bytes = new Uint8Array(this.lua.memory.buffer)
    this.words = new Uint32Array(this.lua.memory.buffer)
    this.doubles = new Float64Array(this.lua.memory.buffer)
    this.buffer = Buffer.from(this.lua.memory.buffer)
  }

  private grow(bytesNeeded: number): number {
    const wanted = bytesNeeded >>> 0
    if (wanted > this.memoryBytesMax) return 0
    // Grow by a fifth at least, so that a growing table does not ask for every page.
    const target = Math.min(this.memoryBytesMax, Math.max(wanted, this.bytes.length * 1.2))
    try {
      this.lua.memory.grow(Math.ceil((target - this.bytes.length) / pageBytes))
    } catch {
      return 0
    }
    this.refresh()
    return 1
  }

  private imports(needed: ReadonlyArray<Needed>): object {
    const provided: Record<string, (...values: ReadonlyArray<number>) => number | void> = {
      invoke_vii: (index, first, second) => {
        const stack = this.lua.stackSave()
        try {
          this.table.get(index!)(first!, second!)
        } catch (error) {
          if (error !== longJump) throw error
          this.lua.stackRestore(stack)
          this.lua.setThrew(1, 0)
        }
      },
      _emscripten_throw_longjmp: () => {
        throw longJump
      },
      emscripten_resize_heap: (bytesNeeded) => this.grow(bytesNeeded!),
      emscripten_memcpy_js: (target, source, length) => {
        this.bytes.copyWithin(target!, source!, source! + length!)
      },
      exit: () => {
        throw new VmBroken("Lua panicked")
      },
      environ_sizes_get: (count, size) => {
        this.words[count! >> 2] = 0
        this.words[size! >> 2] = 0
        return 0
      },
      environ_get: () => 0,
    }
    const imports: Record<string, Record<string, unknown>> = {}
    for (const { module: space, name } of needed) {
      // Files, clocks and processes belong to libraries that are never opened.
      const stub = (): never => {
        throw new VmBroken(`no ${name} for scripts`)
      }
      ;(imports[space] ??= {})[name] = provided[name] ?? stub
    }
    return imports
  }

  /** Puts JavaScript functions into the module's table; returns the index of the first, to be used as a C function pointer. */
  addFunctions(functions: ReadonlyArray<CFunction>): number {
    return this.addToTable(functions, "function")
  }

  addHook(hook: (L: State, record: Pointer) => void): number {
    return this.addToTable([hook], "hook")
  }

  private addToTable(functions: ReadonlyArray<unknown>, kind: "function" | "hook"): number {
    const first = this.table.grow(functions.length)
    asWasm(functions, kind).forEach((f, index) => this.table.set(first + index, f))
    return first
  }

  /** The function behind a C function pointer, to be called in the frame of the caller. */
  cFunction(pointer: number): CFunction {
    return this.table.get(pointer)
  }

  /** A zero-terminated copy of a text of ours, kept for good. */
  literal(text: string): Pointer {
    let pointer = this.literals.get(text)
    if (pointer === undefined) {
      pointer = this.allocate(text.length + 1)
      this.write(text, pointer)
      this.bytes[pointer + text.length] = 0
      this.literals.set(text, pointer)
    }
    return pointer
  }

  allocate(bytes: number): Pointer {
    const pointer = this.lua.malloc(bytes)
    if (pointer === 0) throw new VmBroken("no memory for an argument")
    return pointer
  }

  private write(text: string, pointer: Pointer): void {
    const length = text.length
    if (length < loopLengthMax) {
      const bytes = this.bytes
      for (let i = 0; i < length; i++) bytes[pointer + i] = text.charCodeAt(i)
    } else this.buffer.latin1Write(text, pointer, length)
  }

  /** Pushes a byte string; may raise Lua's memory error like every push. */
  pushString(L: State, text: string): void {
    const length = text.length
    if (length <= scratchBytes) {
      this.write(text, this.scratch)
      this.lua.lua_pushlstring(L, this.scratch, length)
      return
    }
    const pointer = this.lua.malloc(length)
    if (pointer === 0) return this.raise(L, "not enough memory")
    this.write(text, pointer)
    try {
      this.lua.lua_pushlstring(L, pointer, length)
    } finally {
      this.lua.free(pointer)
    }
  }

  /** Pushes the first `length` bytes of `source`. */
  pushBytes(L: State, source: Uint8Array, length: number): void {
    const pointer = length <= scratchBytes ? this.scratch : this.lua.malloc(length)
    if (pointer === 0) this.raise(L, "not enough memory")
    this.bytes.set(source.subarray(0, length), pointer)
    try {
      this.lua.lua_pushlstring(L, pointer, length)
    } finally {
      if (pointer !== this.scratch) this.lua.free(pointer)
    }
  }

  /** Where the string or number at `index` lies in memory; the length is `lastLength`. */
  toBytes(L: State, index: number): Pointer {
    return this.lua.lua_tolstring(L, index, this.lengthCell)
  }

  /** The bytes of the string or number at `index` (a number is turned into a string in place); undefined for other types. */
  toString(L: State, index: number): string | undefined {
    const pointer = this.lua.lua_tolstring(L, index, this.lengthCell)
    return pointer === 0 ? undefined : this.slice(pointer, this.words[this.lengthCell >> 2]!)
  }

  /** Like `luaL_checklstring`: raises Lua's own complaint when argument `index` is no string. */
  checkString(L: State, index: number): string {
    const pointer = this.lua.luaL_checklstring(L, index, this.lengthCell)
    return this.slice(pointer, this.words[this.lengthCell >> 2]!)
  }

  /** Where argument `index` lies in memory, without copying it; the length is `lastLength`. */
  checkBytes(L: State, index: number): Pointer {
    return this.lua.luaL_checklstring(L, index, this.lengthCell)
  }

  /** The length that the last `checkBytes` found. */
  get lastLength(): number {
    return this.words[this.lengthCell >> 2]!
  }

  slice(pointer: Pointer, length: number): string {
    if (length < 8) {
      const bytes = this.bytes
      let text = ""
      for (let i = 0; i < length; i++) text += String.fromCharCode(bytes[pointer + i]!)
      return flat(text)
    }
    return this.buffer.latin1Slice(pointer, pointer + length)
  }

  /** A zero-terminated string, up to `limit` bytes. */
  cString(pointer: Pointer, limit: number): string {
    const end = this.bytes.indexOf(0, pointer)
    return this.buffer.latin1Slice(pointer, Math.min(end, pointer + limit))
  }

  /** `luaL_loadbuffer`: compiles `source` and pushes the function, or the message of the failure. */
  load(L: State, source: string, chunkName: string): number {
    const pointer = this.allocate(source.length + chunkName.length + 1)
    this.write(source, pointer)
    const name = pointer + source.length
    this.write(chunkName, name)
    this.bytes[name + chunkName.length] = 0
    try {
      return this.lua.luaL_loadbuffer(L, pointer, source.length, name)
    } finally {
      this.lua.free(pointer)
    }
  }

  /** `luaL_error`: raises `message` with the position of the calling Lua function before it. */
  raise(L: State, message: string): never {
    this.lua.luaL_where(L, 1)
    this.pushString(L, message)
    this.lua.lua_concat(L, 2)
    return this.throwTop(L)
  }

  argumentError(L: State, index: number, message: string): never {
    this.lua.luaL_argerror(L, index, this.literal(message))
    throw new VmBroken("luaL_argerror returned")
  }

  /** Raises the value on top of the stack. */
  throwTop(L: State): never {
    this.lua.lua_error(L)
    throw new VmBroken("lua_error returned")
  }
}
