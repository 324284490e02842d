/**
 * The library `cjson`: its settings (kept per table that `new` makes, across scripts), and Lua values to JSON. The way back is
 * in JsonReader.
 *
 * The idea to hold: a table is an array when all keys are whole numbers from 1 on and not too sparse, else an object; the
 * empty table is an object.
 */
import { ByteWriter } from "./ByteWriter.ts"
import { general } from "./Format.ts"
import { JsonReader } from "./JsonReader.ts"
import type { Vm } from "./Vm.ts"
import { registryIndex, type State, Type } from "./Wasm.ts"

const intMax = 2147483647

/** `off` refuses, `on` passes numbers that JSON does not have, `null` replaces them. */
type InvalidNumbers = "off" | "on" | "null"

export interface JsonSettings {
  sparseConvert: boolean
  sparseRatio: number
  sparseSafe: number
  encodeDepthMax: number
  decodeDepthMax: number
  encodeInvalid: InvalidNumbers
  decodeInvalid: boolean
  keepBuffer: boolean
  precision: number
}

const defaults = (): JsonSettings => ({
  sparseConvert: false,
  sparseRatio: 2,
  sparseSafe: 10,
  encodeDepthMax: 1000,
  decodeDepthMax: 1000,
  encodeInvalid: "off",
  decodeInvalid: true,
  keepBuffer: true,
  precision: 14,
})

/** Bytes that JSON escapes, as they are written. */
const escapes: ReadonlyArray<string | undefined> = Array.from({ length: 256 }, (_, code) => {
  const named: Record<number, string> = {
    8: "\\b",
    9: "\\t",
    10: "\\n",
    12: "\\f",
    13: "\\r",
    34: '\\"',
    47: "\\/",
    92: "\\\\",
    127: "\\u007f",
  }
  return named[code] ?? (code < 32 ? `\\u00${code.toString(16).padStart(2, "0")}` : undefined)
})

const typeNames = ["nil", "boolean", "userdata", "number", "string", "table", "function", "userdata", "thread"]

class JsonWriter {
  private readonly out = new ByteWriter()
  private readonly vm: Vm
  private readonly settings: JsonSettings

  constructor(vm: Vm, settings: JsonSettings) {
    this.vm = vm
    this.settings = settings
  }

  encode(L: State): number {
    const { wasm } = this.vm
    if (wasm.lua.lua_gettop(L) !== 1) wasm.argumentError(L, 1, "expected 1 argument")
    this.out.reset()
    this.value(L, 0)
    wasm.pushBytes(L, this.out.bytes, this.out.length)
    return 1
  }

  private refuse(L: State, index: number, reason: string): never {
    const type = typeNames[this.vm.wasm.lua.lua_type(L, index)]
    return this.vm.wasm.raise(L, `Cannot serialise ${type}: ${reason}`)
  }

  /** Writes the value on top of the stack and leaves it there. */
  private value(L: State, depth: number): void {
    const { lua } = this.vm.wasm
    switch (lua.lua_type(L, -1)) {
      case Type.string:
        return this.string(L, -1)
      case Type.number:
        return this.number(L, -1)
      case Type.boolean:
        return this.out.text(lua.lua_toboolean(L, -1) === 0 ? "false" : "true")
      case Type.nil:
        return this.out.text("null")
      case Type.lightUserdata:
        if (lua.lua_touserdata(L, -1) === 0) return this.out.text("null")
        return this.refuse(L, -1, "type not supported")
      case Type.table:
        return this.table(L, depth + 1)
      default:
        return this.refuse(L, -1, "type not supported")
    }
  }

  private table(L: State, depth: number): void {
    const { wasm } = this.vm
    const { lua } = wasm
    if (depth > this.settings.encodeDepthMax || lua.lua_checkstack(L, 3) === 0) {
      wasm.raise(L, `Cannot serialise, excessive nesting (${depth})`)
    }
    const hidden = this.vm.hiddenOf(L, -1)
    if (hidden !== undefined) lua.lua_rawgeti(L, registryIndex, hidden)
    const length = this.arrayLength(L)
    if (length > 0) this.array(L, depth, length)
    else this.object(L, depth)
    if (hidden !== undefined) lua.lua_settop(L, -2)
  }

  /** The largest index, or -1 when it is no array. */
  private arrayLength(L: State): number {
    const { lua } = this.vm.wasm
    let largest = 0
    let count = 0
    lua.lua_pushnil(L)
    while (lua.lua_next(L, -2) !== 0) {
      const key = lua.lua_type(L, -2) === Type.number ? lua.lua_tonumber(L, -2) : 0
      if (!(key >= 1) || Math.floor(key) !== key) {
        lua.lua_settop(L, -3)
        return -1
      }
      // As the C library's `int`: an index beyond it ends as the smallest one.
      if (key > largest) largest = key > intMax ? -intMax - 1 : key
      count++
      lua.lua_settop(L, -2)
    }
    const { sparseRatio, sparseSafe, sparseConvert } = this.settings
    if (sparseRatio > 0 && largest > count * sparseRatio && largest > sparseSafe) {
      if (!sparseConvert) this.refuse(L, -1, "excessively sparse array")
      return -1
    }
    return largest
  }

  private array(L: State, depth: number, length: number): void {
    const { lua } = this.vm.wasm
    this.out.text("[")
    for (let index = 1; index <= length; index++) {
      if (index > 1) this.out.text(",")
      lua.lua_rawgeti(L, -1, index)
      this.value(L, depth)
      lua.lua_settop(L, -2)
    }
    this.out.text("]")
  }

  private object(L: State, depth: number): void {
    const { lua } = this.vm.wasm
    this.out.text("{")
    let first = true
    lua.lua_pushnil(L)
    while (lua.lua_next(L, -2) !== 0) {
      if (!first) this.out.text(",")
      first = false
      const keyType = lua.lua_type(L, -2)
      if (keyType === Type.number) {
        this.out.text('"')
        this.number(L, -2)
        this.out.text('":')
      } else if (keyType === Type.string) {
        this.string(L, -2)
        this.out.text(":")
      } else this.refuse(L, -2, "table key must be a number or string")
      this.value(L, depth)
      lua.lua_settop(L, -2)
    }
    this.out.text("}")
  }

  private number(L: State, index: number): void {
    const value = this.vm.wasm.lua.lua_tonumber(L, index)
    if (!Number.isFinite(value)) {
      if (this.settings.encodeInvalid === "off") this.refuse(L, index, "must not be NaN or Inf")
      if (this.settings.encodeInvalid === "null") return this.out.text("null")
      if (Number.isNaN(value)) return this.out.text("nan")
    }
    this.out.text(general(value, this.settings.precision))
  }

  private string(L: State, index: number): void {
    const { wasm } = this.vm
    const from = wasm.toBytes(L, index)
    const end = from + wasm.lastLength
    const { bytes } = wasm
    this.out.byte(34)
    for (let at = from; at < end; at++) {
      const byte = bytes[at]!
      const escape = escapes[byte]
      if (escape === undefined) this.out.byte(byte)
      else this.out.text(escape)
    }
    this.out.byte(34)
  }
}

/** Fills the table on top of the stack with one instance of the library. */
const fill = (vm: Vm): void => {
  const { wasm } = vm
  const { lua } = wasm
  const settings = defaults()
  const writer = new JsonWriter(vm, settings)
  const reader = new JsonReader(vm, settings)

  const argumentsOf = (L: State, count: number): void => {
    if (lua.lua_gettop(L) > count) wasm.argumentError(L, count + 1, "found too many arguments")
    while (lua.lua_gettop(L) < count) lua.lua_pushnil(L)
  }
  const integerOption = (L: State, index: number, current: number, min: number, max: number): number => {
    let value = current
    if (lua.lua_type(L, index) !== Type.nil) {
      value = lua.luaL_checknumber(L, index) | 0
      if (value < min || value > max) wasm.argumentError(L, index, `expected integer between ${min} and ${max}`)
    }
    lua.lua_pushnumber(L, value)
    return value
  }
  const booleanOption = (L: State, index: number, current: boolean): boolean =>
    choice(L, index, current ? "on" : "off", ["off", "on"]) === "on"
  const choice = (L: State, index: number, current: InvalidNumbers, allowed: ReadonlyArray<string>): InvalidNumbers => {
    let value: string = current
    const type = lua.lua_type(L, index)
    if (type === Type.boolean) value = lua.lua_toboolean(L, index) === 0 ? "off" : "on"
    else if (type !== Type.nil) {
      value = wasm.checkString(L, index)
      if (!allowed.includes(value)) wasm.argumentError(L, index, `invalid option '${value}'`)
    }
    if (value === "null") wasm.pushString(L, value)
    else lua.lua_pushboolean(L, value === "on" ? 1 : 0)
    return value as InvalidNumbers
  }

  vm.setFields({
    encode: (L) => writer.encode(L),
    decode: (L) => reader.decode(L),
    encode_sparse_array: (L) => {
      argumentsOf(L, 3)
      settings.sparseConvert = booleanOption(L, 1, settings.sparseConvert)
      settings.sparseRatio = integerOption(L, 2, settings.sparseRatio, 0, intMax)
      settings.sparseSafe = integerOption(L, 3, settings.sparseSafe, 0, intMax)
      return 3
    },
    encode_max_depth: (L) => {
      argumentsOf(L, 1)
      settings.encodeDepthMax = integerOption(L, 1, settings.encodeDepthMax, 1, intMax)
      return 1
    },
    decode_max_depth: (L) => {
      argumentsOf(L, 1)
      settings.decodeDepthMax = integerOption(L, 1, settings.decodeDepthMax, 1, intMax)
      return 1
    },
    encode_number_precision: (L) => {
      argumentsOf(L, 1)
      settings.precision = integerOption(L, 1, settings.precision, 1, 14)
      return 1
    },
    encode_keep_buffer: (L) => {
      argumentsOf(L, 1)
      settings.keepBuffer = booleanOption(L, 1, settings.keepBuffer)
      return 1
    },
    encode_invalid_numbers: (L) => {
      argumentsOf(L, 1)
      settings.encodeInvalid = choice(L, 1, settings.encodeInvalid, ["off", "on", "null"])
      return 1
    },
    decode_invalid_numbers: (L) => {
      argumentsOf(L, 1)
      settings.decodeInvalid = booleanOption(L, 1, settings.decodeInvalid)
      return 1
    },
  })
  vm.setField("null", () => lua.lua_pushlightuserdata(vm.L, 0))
  vm.setField("_NAME", () => wasm.pushString(vm.L, "cjson"))
  vm.setField("_VERSION", () => wasm.pushString(vm.L, "2.1.0"))
}

export const cjson = (vm: Vm): void => {
  const { lua } = vm.wasm
  vm.addTable(
    "cjson",
    {
      new: (L) => {
        lua.lua_createtable(vm.L, 0, 0)
        fill(vm)
        if (L !== vm.L) lua.lua_xmove(vm.L, L, 1)
        return 1
      },
    },
    () => fill(vm),
  )
}
