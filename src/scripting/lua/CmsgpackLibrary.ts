/**
 * The library `cmsgpack`: Lua values to MessagePack and back. Tables whose keys are 1 to n are arrays, all others are maps.
 * Differs: the table has no field for the copyright of the C library, which this is not.
 */
import { ByteWriter } from "./ByteWriter.ts"
import { toInt64 } from "./Format.ts"
import type { Vm } from "./Vm.ts"
import { registryIndex, type State, Type } from "./Wasm.ts"

/** Tables nested deeper are packed as nil. */
const nestingMax = 16
const unpackDepthMax = 1000
const int64Limit = 2 ** 63
const stackMessage = "too many return values at once; use unpack_one or unpack_limit instead."

export const cmsgpack = (vm: Vm): void => {
  const { wasm } = vm
  const { lua } = wasm
  const out = new ByteWriter()
  const view = new DataView(new ArrayBuffer(8))

  const packSize = (length: number, small: number, smallMax: number, codes: ReadonlyArray<number>): void => {
    if (length <= smallMax) out.byte(small | length)
    else if (codes[0] !== 0 && length <= 0xff) {
      out.byte(codes[0]!)
      out.byte(length)
    } else if (length <= 0xffff) {
      out.byte(codes[1]!)
      out.bigEndian(length, 2)
    } else {
      out.byte(codes[2]!)
      out.bigEndian(length, 4)
    }
  }

  const packWord = (code: number, value: number): void => {
    out.byte(code)
    view.setBigUint64(0, BigInt.asUintN(64, BigInt(value)))
    for (let i = 0; i < 8; i++) out.byte(view.getUint8(i))
  }

  const packInteger = (value: number): void => {
    if (value >= 0) {
      if (value <= 0x7f) out.byte(value)
      else if (value <= 0xff) {
        out.byte(0xcc)
        out.byte(value)
      } else if (value <= 0xffff) {
        out.byte(0xcd)
        out.bigEndian(value, 2)
      } else if (value <= 0xffffffff) {
        out.byte(0xce)
        out.bigEndian(value, 4)
      } else packWord(0xcf, value)
    } else if (value >= -32) out.byte(value & 0xff)
    else if (value >= -128) {
      out.byte(0xd0)
      out.byte(value & 0xff)
    } else if (value >= -32768) {
      out.byte(0xd1)
      out.bigEndian(value & 0xffff, 2)
    } else if (value >= -2147483648) {
      out.byte(0xd2)
      out.bigEndian(value >>> 0, 4)
    } else packWord(0xd3, value)
  }

  const packNumber = (value: number): void => {
    if (Math.trunc(value) === value && value < int64Limit && value >= -int64Limit) return packInteger(value)
    const single = Math.fround(value) === value
    out.byte(single ? 0xca : 0xcb)
    if (single) view.setFloat32(0, value)
    else view.setFloat64(0, value)
    for (let i = 0; i < (single ? 4 : 8); i++) out.byte(view.getUint8(i))
  }

  /** Puts the hidden table in the place of a protected one on top of the stack. */
  const unveil = (L: State): void => {
    const ref = vm.hiddenOf(L, -1)
    if (ref === undefined) return
    lua.lua_settop(L, -2)
    lua.lua_rawgeti(L, registryIndex, ref)
  }

  /** Entries of the table on top of the stack, and whether its keys are 1 to n. */
  let entries = 0
  const isArray = (L: State): boolean => {
    let largest = 0
    let array = true
    entries = 0
    lua.lua_pushnil(L)
    while (lua.lua_next(L, -2) !== 0) {
      lua.lua_settop(L, -2)
      entries++
      if (!array) continue
      const key = lua.lua_type(L, -1) === Type.number ? lua.lua_tonumber(L, -1) : 0
      if (key <= 0 || Math.trunc(key) !== key || key > 2147483647) array = false
      else largest = Math.max(largest, key)
    }
    return array && largest === entries
  }

  const packTable = (L: State, level: number): void => {
    unveil(L)
    if (isArray(L)) {
      const length = lua.lua_objlen(L, -1)
      packSize(length, 0x90, 15, [0, 0xdc, 0xdd])
      for (let index = 1; index <= length; index++) {
        lua.lua_pushnumber(L, index)
        lua.lua_gettable(L, -2)
        packTop(L, level + 1)
      }
      return
    }
    packSize(entries, 0x80, 15, [0, 0xde, 0xdf])
    lua.lua_pushnil(L)
    while (lua.lua_next(L, -2) !== 0) {
      lua.lua_pushvalue(L, -2)
      packTop(L, level + 1)
      packTop(L, level + 1)
    }
  }

  /** Packs the value on top of the stack and takes it off. */
  const packTop = (L: State, level: number): void => {
    switch (lua.lua_type(L, -1)) {
      case Type.string: {
        const pointer = wasm.toBytes(L, -1)
        const length = wasm.lastLength
        packSize(length, 0xa0, 31, [0xd9, 0xda, 0xdb])
        out.copy(wasm.bytes, pointer, length)
        break
      }
      case Type.boolean:
        out.byte(lua.lua_toboolean(L, -1) === 0 ? 0xc2 : 0xc3)
        break
      case Type.number:
        packNumber(lua.lua_tonumber(L, -1))
        break
      case Type.table:
        if (level === nestingMax) out.byte(0xc0)
        else {
          lua.luaL_checkstack(L, 5, wasm.literal("in function table_is_an_array"))
          packTable(L, level)
        }
        break
      default:
        out.byte(0xc0)
    }
    lua.lua_settop(L, -2)
  }

  const pack = (L: State): number => {
    const count = lua.lua_gettop(L)
    if (count === 0) wasm.argumentError(L, 0, "MessagePack pack needs input.")
    lua.luaL_checkstack(L, count, wasm.literal("Too many arguments for MessagePack pack."))
    out.reset()
    for (let index = 1; index <= count; index++) {
      lua.lua_pushvalue(L, index)
      packTop(L, 0)
    }
    wasm.pushBytes(L, out.bytes, out.length)
    return 1
  }

  /** Where the next byte is read, and where the input ends. */
  let at = 0
  let end = 0

  let depth = 0
  /** Differs: Redis allows some thousand levels; JavaScript's stack does not. */
  const descend = (L: State): void => {
    if (++depth > unpackDepthMax) wasm.raise(L, `stack overflow (${stackMessage})`)
  }

  const need = (L: State, count: number): number => {
    if (end - at < count) wasm.raise(L, "Missing bytes in input.")
    const from = at
    at += count
    return from
  }
  const unsigned = (L: State, count: number): number => {
    const from = need(L, count)
    let value = 0
    for (let i = 0; i < count; i++) value = value * 256 + wasm.bytes[from + i]!
    return value
  }
  const wide = (L: State): DataView => {
    const from = need(L, 8)
    for (let i = 0; i < 8; i++) view.setUint8(i, wasm.bytes[from + i]!)
    return view
  }
  const unpackString = (L: State, length: number): void => {
    const from = need(L, length)
    lua.lua_pushlstring(L, from, length)
  }
  const unpackArray = (L: State, length: number): void => {
    descend(L)
    lua.lua_createtable(L, 0, 0)
    lua.luaL_checkstack(L, 1, wasm.literal("in function mp_decode_to_lua_array"))
    for (let index = 1; index <= length; index++) {
      unpackValue(L)
      lua.lua_rawseti(L, -2, index)
    }
    depth--
  }
  const unpackMap = (L: State, length: number): void => {
    descend(L)
    lua.lua_createtable(L, 0, 0)
    for (let index = 0; index < length; index++) {
      unpackValue(L)
      unpackValue(L)
      lua.lua_settable(L, -3)
    }
    depth--
  }

  const unpackValue = (L: State): void => {
    lua.luaL_checkstack(L, 1, wasm.literal(stackMessage))
    const code = unsigned(L, 1)
    if (code <= 0x7f) return lua.lua_pushnumber(L, code)
    if (code >= 0xe0) return lua.lua_pushnumber(L, code - 256)
    if (code <= 0x8f) return unpackMap(L, code & 15)
    if (code <= 0x9f) return unpackArray(L, code & 15)
    if (code <= 0xbf) return unpackString(L, code & 31)
    switch (code) {
      case 0xc0:
        return lua.lua_pushnil(L)
      case 0xc2:
        return lua.lua_pushboolean(L, 0)
      case 0xc3:
        return lua.lua_pushboolean(L, 1)
      case 0xca: {
        view.setUint32(0, unsigned(L, 4))
        return lua.lua_pushnumber(L, view.getFloat32(0))
      }
      case 0xcb:
        return lua.lua_pushnumber(L, wide(L).getFloat64(0))
      case 0xcc:
        return lua.lua_pushnumber(L, unsigned(L, 1))
      case 0xcd:
        return lua.lua_pushnumber(L, unsigned(L, 2))
      case 0xce:
        return lua.lua_pushnumber(L, unsigned(L, 4))
      // Lua 5.1 has no unsigned integers: the original pushes this one as a signed one too.
      case 0xcf:
      case 0xd3:
        return lua.lua_pushnumber(L, Number(wide(L).getBigInt64(0)))
      case 0xd0:
        return lua.lua_pushnumber(L, (unsigned(L, 1) << 24) >> 24)
      case 0xd1:
        return lua.lua_pushnumber(L, (unsigned(L, 2) << 16) >> 16)
      case 0xd2:
        return lua.lua_pushnumber(L, unsigned(L, 4) | 0)
      case 0xd9:
        return unpackString(L, unsigned(L, 1))
      case 0xda:
        return unpackString(L, unsigned(L, 2))
      case 0xdb:
        return unpackString(L, unsigned(L, 4))
      case 0xdc:
        return unpackArray(L, unsigned(L, 2))
      case 0xdd:
        return unpackArray(L, unsigned(L, 4))
      case 0xde:
        return unpackMap(L, unsigned(L, 2))
      case 0xdf:
        return unpackMap(L, unsigned(L, 4))
      default:
        return wasm.raise(L, "Bad data format in input.")
    }
  }

  /** `limit` 0 unpacks everything; otherwise the offset to go on from comes first, -1 at the end. */
  const unpackFrom = (L: State, limit: number, offset: number): number => {
    const data = wasm.checkBytes(L, 1)
    const length = wasm.lastLength
    if (offset < 0 || limit < 0) {
      wasm.raise(L, `Invalid request to unpack with offset of ${offset | 0} and limit of ${length}.`)
    }
    if (offset > length) wasm.raise(L, `Start offset ${offset | 0} greater than input length ${length}.`)
    const all = limit === 0 && offset === 0
    at = data + offset
    depth = 0
    end = data + length
    let count = 0
    for (; at < end && (all || count < limit); count++) unpackValue(L)
    if (all) return count
    lua.lua_pushnumber(L, at === end ? -1 : at - data)
    lua.lua_insert(L, 2)
    return count + 1
  }

  const integer = (L: State, index: number, otherwise: number): number =>
    lua.lua_type(L, index) <= Type.nil ? otherwise : toInt64(lua.luaL_checknumber(L, index))

  vm.addTable(
    "cmsgpack",
    {
      pack,
      unpack: (L) => unpackFrom(L, 0, 0),
      unpack_one: (L) => {
        const offset = integer(L, 2, 0)
        lua.lua_settop(L, 1)
        return unpackFrom(L, 1, offset)
      },
      unpack_limit: (L) => {
        const limit = toInt64(lua.luaL_checknumber(L, 2))
        const offset = integer(L, 3, 0)
        lua.lua_settop(L, 1)
        return unpackFrom(L, limit, offset)
      },
    },
    () => {
      vm.setField("_NAME", () => wasm.pushString(vm.L, "cmsgpack"))
      vm.setField("_VERSION", () => wasm.pushString(vm.L, "lua-cmsgpack 0.4.0"))
      vm.setField("_DESCRIPTION", () => wasm.pushString(vm.L, "MessagePack C implementation for Lua"))
    },
  )
}
