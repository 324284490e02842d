/**
 * The base functions that Redis changed or that must know about protected tables: everything that reads or writes a table
 * past its metatable, the loaders (no binary chunks), `pcall` (an error table with a text becomes that text), and what
 * would show that a script runs as a coroutine.
 */
import type { Library } from "./Tables.ts"
import type { Vm } from "./Vm.ts"
import { registryIndex, type State, Status, Type } from "./Wasm.ts"

const escape = 27
const yieldMessage = "attempt to yield across metamethod/C-call boundary"

export const base = (vm: Vm): void => {
  const { wasm } = vm
  const { lua } = wasm
  const original = {
    next: vm.original(undefined, "next"),
    rawget: vm.original(undefined, "rawget"),
    rawset: vm.original(undefined, "rawset"),
    getmetatable: vm.original(undefined, "getmetatable"),
    setmetatable: vm.original(undefined, "setmetatable"),
    tonumber: vm.original(undefined, "tonumber"),
    insert: vm.original("table", "insert"),
    foreach: vm.original("table", "foreach"),
    yield: vm.original("coroutine", "yield"),
    running: vm.original("coroutine", "running"),
  }

  /** Puts the hidden table in the place of a protected first argument, then goes on with Lua's own function. */
  const seeingThrough =
    (then: (L: State) => number) =>
    (L: State): number => {
      const ref = vm.hiddenOf(L, 1)
      if (ref !== undefined) {
        lua.lua_rawgeti(L, registryIndex, ref)
        lua.lua_replace(L, 1)
      }
      return then(L)
    }
  /** Refuses a protected first argument when the others are such that the function would change it. */
  const refusing =
    (changes: (L: State) => boolean, then: (L: State) => number) =>
    (L: State): number => {
      if (vm.hiddenOf(L, 1) !== undefined && changes(L)) vm.refuseProtected(L)
      return then(L)
    }

  vm.pushGlobal("next")
  const nextRef = lua.luaL_ref(vm.L, registryIndex)
  vm.setGlobal("_VERSION", () => wasm.pushString(vm.L, "Lua 5.1"))
  lua.lua_rawgeti(vm.L, registryIndex, vm.globals)
  vm.setFields({
    next: seeingThrough(original.next),
    pairs: pairsOf(vm, nextRef),
    rawget: seeingThrough(original.rawget),
    rawset: refusing((L) => lua.lua_gettop(L) >= 3, original.rawset),
    setmetatable: refusing(
      (L) => lua.lua_type(L, 2) === Type.nil || lua.lua_type(L, 2) === Type.table,
      original.setmetatable,
    ),
    getmetatable: (L) => {
      if (lua.lua_type(L, 1) === Type.string) {
        lua.lua_rawgeti(L, registryIndex, vm.stringMetatable)
        return 1
      }
      if (vm.hiddenOf(L, 1) === undefined) return original.getmetatable(L)
      if (vm.globalTables.has(lua.lua_topointer(L, 1))) lua.lua_rawgeti(L, registryIndex, vm.globalsMetatable)
      else lua.lua_pushnil(L)
      return 1
    },
    tonumber: (L) => (lua.lua_type(L, 2) > Type.nil ? numberInBase(vm, L, original.tonumber) : original.tonumber(L)),
    pcall: protectedCall(vm),
    loadstring: loadString(vm),
    load: loadPieces(vm),
  } satisfies Library)
  lua.lua_settop(vm.L, -2)
  vm.extend("table", {
    insert: refusing(
      (L) => lua.lua_gettop(L) === 2 || (lua.lua_gettop(L) === 3 && lua.lua_isnumber(L, 2) !== 0),
      original.insert,
    ),
    foreach: seeingThrough(original.foreach),
  })
  vm.extend("coroutine", {
    running: (L) => {
      if (L === vm.stack) {
        lua.lua_pushnil(L)
        return 1
      }
      return original.running(L)
    },
    yield: (L) => {
      if (L !== vm.stack) return original.yield(L)
      wasm.pushString(L, yieldMessage)
      return wasm.throwTop(L)
    },
  })
}

/** `pairs` gives Lua's own `next`, so that a loop over an ordinary table has Lua's own speed. */
const pairsOf =
  (vm: Vm, nextRef: number) =>
  (L: State): number => {
    const { lua } = vm.wasm
    lua.luaL_checktype(L, 1, Type.table)
    lua.lua_rawgeti(L, registryIndex, nextRef)
    const ref = vm.hiddenOf(L, 1)
    if (ref === undefined) lua.lua_pushvalue(L, 1)
    else lua.lua_rawgeti(L, registryIndex, ref)
    lua.lua_pushnil(L)
    return 3
  }

/** Numbers in another base than ten have 64 bits, where WebAssembly's `unsigned long` has 32. */
const numberInBase = (vm: Vm, L: State, original: (L: State) => number): number => {
  const { wasm } = vm
  const { lua } = wasm
  const radix = Math.trunc(lua.luaL_checknumber(L, 2))
  if (radix === 10 || radix < 2 || radix > 36 || Number.isNaN(radix)) return original(L)
  // Text ends at its first zero byte, as C reads it.
  const [text] = wasm.checkString(L, 1).split("\0", 1) as [string]
  const match = /^[ \t-\r]*([-+]?)([0-9a-zA-Z]+)[ \t-\r]*$/.exec(text)
  if (match === null) {
    lua.lua_pushnil(L)
    return 1
  }
  const digits = radix === 16 ? match[2]!.replace(/^0[xX](?=[0-9a-fA-F])/, "") : match[2]!
  let value = 0n
  for (const char of digits.toLowerCase()) {
    const digit = parseInt(char, 36)
    if (digit >= radix) {
      lua.lua_pushnil(L)
      return 1
    }
    value = value * BigInt(radix) + BigInt(digit)
  }
  const limit = 1n << 64n
  if (value >= limit) value = limit - 1n
  else if (match[1] === "-") value = BigInt.asUintN(64, -value)
  lua.lua_pushnumber(L, Number(value))
  return 1
}

const protectedCall =
  (vm: Vm) =>
  (L: State): number => {
    const { wasm } = vm
    const { lua } = wasm
    const count = lua.lua_gettop(L)
    if (count === 0) {
      lua.lua_pushboolean(L, 0)
      wasm.pushString(L, "attempt to call a boolean value")
      return 2
    }
    lua.lua_pushboolean(L, 1)
    lua.lua_insert(L, 1)
    if (lua.lua_pcall(L, count - 1, -1, 0) !== Status.ok) {
      lua.lua_remove(L, 1)
      if (lua.lua_type(L, -1) === Type.table) {
        wasm.pushString(L, "err")
        lua.lua_gettable(L, -2)
        if (lua.lua_isstring(L, -1) !== 0) lua.lua_replace(L, -2)
      }
      lua.lua_pushboolean(L, 0)
      lua.lua_insert(L, 1)
    }
    return lua.lua_gettop(L)
  }

/** Compiles text only: a leading escape would mark a binary chunk, after a space it is a syntax error like any other. */
const loadText = (vm: Vm, L: State, source: string, chunkName: string): number => {
  const { lua } = vm.wasm
  const text = source.charCodeAt(0) === escape ? ` ${source}` : source
  if (vm.wasm.load(L, text, chunkName) === Status.ok) return 1
  lua.lua_pushnil(L)
  lua.lua_insert(L, -2)
  return 2
}

const loadString =
  (vm: Vm) =>
  (L: State): number => {
    const source = vm.wasm.checkString(L, 1)
    const chunkName = vm.wasm.lua.lua_type(L, 2) <= Type.nil ? source : vm.wasm.checkString(L, 2)
    return loadText(vm, L, source, chunkName)
  }

const loadPieces =
  (vm: Vm) =>
  (L: State): number => {
    const { wasm } = vm
    const { lua } = wasm
    lua.luaL_checktype(L, 1, Type.function)
    const chunkName = lua.lua_type(L, 2) <= Type.nil ? "=(load)" : wasm.checkString(L, 2)
    let source = ""
    for (;;) {
      lua.lua_pushvalue(L, 1)
      if (lua.lua_pcall(L, 0, 1, 0) !== Status.ok) break
      if (lua.lua_type(L, -1) === Type.nil) return loadText(vm, L, source, chunkName)
      if (lua.lua_isstring(L, -1) === 0) {
        lua.luaL_where(L, 1)
        wasm.pushString(L, "reader function must return a string")
        lua.lua_concat(L, 2)
        break
      }
      const piece = wasm.toString(L, -1)!
      if (piece === "") return loadText(vm, L, source, chunkName)
      source += piece
      if (source.length > wasm.memoryBytesMax) {
        wasm.pushString(L, "not enough memory")
        break
      }
      lua.lua_settop(L, -2)
    }
    lua.lua_pushnil(L)
    lua.lua_insert(L, -2)
    return 2
  }
