/**
 * The library `struct`: values to bytes and back after a format string, C's layout of a 64-bit little-endian machine
 * unless the format says otherwise.
 */
import { ByteWriter } from "./ByteWriter.ts"
import { toInt64, toWord } from "./Format.ts"
import type { Library } from "./Tables.ts"
import type { Vm } from "./Vm.ts"
import { type State, Type } from "./Wasm.ts"

const integerSizeMax = 32
const defaultAlignment = 8
const intMax = 2147483647
const wordBits = 64

/** A format being read: the next option and its size, byte order and alignment so far. */
class Format {
  position = 0
  option = ""
  size = 0
  littleEndian = true
  private alignment = 1
  private readonly text: string
  private readonly vm: Vm
  private readonly L: State

  constructor(vm: Vm, L: State) {
    this.vm = vm
    this.L = L
    const text = vm.wasm.checkString(L, 1)
    const end = text.indexOf("\0")
    this.text = end < 0 ? text : text.slice(0, end)
  }

  next(): boolean {
    if (this.position >= this.text.length) return false
    this.option = this.text[this.position++]!
    this.size = this.optionSize()
    return true
  }

  private optionSize(): number {
    switch (this.option) {
      case "B":
      case "b":
      case "x":
        return 1
      case "H":
      case "h":
        return 2
      case "f":
        return 4
      case "L":
      case "l":
      case "T":
      case "d":
        return 8
      case "c":
        return this.number(1)
      case "i":
      case "I": {
        const size = this.number(4)
        if (size > integerSizeMax) {
          this.vm.wasm.raise(this.L, `integral size ${size} is larger than limit of ${integerSizeMax}`)
        }
        return size
      }
      default:
        return 0
    }
  }

  private number(otherwise: number): number {
    const start = this.position
    let value = 0
    for (; this.position < this.text.length; this.position++) {
      const digit = this.text.charCodeAt(this.position) - 48
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      if (value > intMax) this.vm.wasm.raise(this.L, "integral size overflow")
    }
    return this.position === start ? otherwise : value
  }

  /** Padding before the option, when `length` bytes lie before it. */
  padding(length: number): number {
    if (this.size === 0 || this.option === "c") return 0
    const size = Math.min(this.size, this.alignment)
    return (size - (length & (size - 1))) & (size - 1)
  }

  /** An option that is no value. */
  control(): void {
    switch (this.option) {
      case " ":
        return
      case ">":
        this.littleEndian = false
        return
      case "<":
        this.littleEndian = true
        return
      case "!": {
        const alignment = this.number(defaultAlignment)
        if (alignment === 0 || (alignment & (alignment - 1)) !== 0) {
          this.vm.wasm.raise(this.L, `alignment ${alignment} is not a power of 2`)
        }
        this.alignment = alignment
        return
      }
      default:
        this.vm.wasm.argumentError(this.L, 1, `invalid format option '${this.option}'`)
    }
  }
}

const isInteger = (option: string): boolean => "bBhHlLTiI".includes(option)

export const struct = (vm: Vm): Library => {
  const { wasm } = vm
  const { lua } = wasm
  const out = new ByteWriter()
  const view = new DataView(new ArrayBuffer(8))

  const packNumber = (format: Format, value: number): void => {
    let word = toWord(value)
    const digits = new Array<number>(format.size)
    for (let index = 0; index < format.size; index++) {
      digits[format.littleEndian ? index : format.size - 1 - index] = Number(word & 0xffn)
      word >>= 8n
    }
    for (const digit of digits) out.byte(digit)
  }

  const unpackNumber = (format: Format, from: number): number => {
    let word = 0n
    for (let index = 0; index < format.size; index++) {
      const at = format.littleEndian ? format.size - 1 - index : index
      word = BigInt.asUintN(wordBits, (word << 8n) | BigInt(wasm.bytes[from + at]!))
    }
    if (format.option >= "a") {
      // The shift goes by the lowest six bits of its distance, as the processor's does, for sizes beyond a word.
      const sign = BigInt.asUintN(wordBits, -1n << BigInt((format.size * 8 - 1) & 63))
      if ((word & sign) !== 0n) word |= sign
      return Number(BigInt.asIntN(wordBits, word))
    }
    return Number(word)
  }

  const pack = (L: State): number => {
    const format = new Format(vm, L)
    out.reset()
    // An argument that is missing is reported as nil.
    lua.lua_pushnil(L)
    let argument = 2
    let total = 0
    while (format.next()) {
      const padding = format.padding(total)
      total += padding
      for (let i = 0; i < padding; i++) out.byte(0)
      const option = format.option
      if (isInteger(option)) packNumber(format, lua.luaL_checknumber(L, argument++))
      else if (option === "x") out.byte(0)
      else if (option === "f" || option === "d") {
        const value = lua.luaL_checknumber(L, argument++)
        if (option === "f") view.setFloat32(0, value, format.littleEndian)
        else view.setFloat64(0, value, format.littleEndian)
        for (let i = 0; i < format.size; i++) out.byte(view.getUint8(i))
      } else if (option === "c" || option === "s") {
        const pointer = wasm.checkBytes(L, argument++)
        const length = wasm.lastLength
        if (format.size === 0) format.size = length
        if (length < format.size) wasm.argumentError(L, argument, "string too short")
        out.copy(wasm.bytes, pointer, format.size)
        if (option === "s") {
          out.byte(0)
          format.size++
        }
      } else format.control()
      total += format.size
    }
    wasm.pushBytes(L, out.bytes, out.length)
    return 1
  }

  const unpack = (L: State): number => {
    const format = new Format(vm, L)
    const data = wasm.checkBytes(L, 2)
    const length = wasm.lastLength
    const start = lua.lua_type(L, 3) <= Type.nil ? 1 : toInt64(lua.luaL_checknumber(L, 3))
    if (start === 0) wasm.argumentError(L, 3, "offset must be 1 or greater")
    // A negative one is an unsigned number far behind the data.
    let position = start - 1
    let count = 0
    const check = () => {
      if (format.size > length || position < 0 || position > length - format.size)
        wasm.argumentError(L, 2, "data string too short")
    }
    while (format.next()) {
      position += format.padding(position)
      check()
      lua.luaL_checkstack(L, 2, wasm.literal("too many results"))
      const option = format.option
      if (isInteger(option)) {
        lua.lua_pushnumber(L, unpackNumber(format, data + position))
        count++
      } else if (option === "f" || option === "d") {
        for (let i = 0; i < format.size; i++) view.setUint8(i, wasm.bytes[data + position + i]!)
        lua.lua_pushnumber(
          L,
          option === "f" ? view.getFloat32(0, format.littleEndian) : view.getFloat64(0, format.littleEndian),
        )
        count++
      } else if (option === "c") {
        if (format.size === 0) {
          if (count === 0 || lua.lua_isnumber(L, -1) === 0) wasm.raise(L, "format 'c0' needs a previous size")
          // The size is an unsigned number: a negative one is too large, and one beyond 64 bits is 0.
          format.size = Number(toWord(lua.lua_tonumber(L, -1)))
          lua.lua_settop(L, -2)
          count--
          check()
        }
        lua.lua_pushlstring(L, data + position, format.size)
        count++
      } else if (option === "s") {
        const end = wasm.bytes.subarray(data + position, data + length).indexOf(0)
        if (end < 0) wasm.raise(L, "unfinished string in data")
        lua.lua_pushlstring(L, data + position, end)
        format.size = end + 1
        count++
      } else if (option !== "x") format.control()
      position += format.size
    }
    // Where nothing was read the offset comes back as it is; a large one less 1 would not be exact.
    lua.lua_pushnumber(L, position === start - 1 ? start : position + 1)
    return count + 1
  }

  const size = (L: State): number => {
    const format = new Format(vm, L)
    let position = 0
    while (format.next()) {
      position += format.padding(position)
      if (format.option === "s") wasm.argumentError(L, 1, "option 's' has no fixed size")
      else if (format.option === "c" && format.size === 0) wasm.argumentError(L, 1, "option 'c0' has no fixed size")
      if (!/[0-9A-Za-z]/.test(format.option)) format.control()
      position += format.size
    }
    lua.lua_pushnumber(L, position)
    return 1
  }

  return { pack, unpack, size }
}
