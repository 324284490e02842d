/** The library `bit`: operations on numbers taken as 32 bits, answering signed ones. */
import type { Library } from "./Tables.ts"
import type { Vm } from "./Vm.ts"
import type { State } from "./Wasm.ts"

/** Adding 1.5 * 2^52 moves the whole part of a double into its lowest bits, rounded to even as the processor rounds. */
const magic = 6755399441055744
const cell = new Float64Array(1)
const words = new Int32Array(cell.buffer)

const toBits = (value: number): number => {
  cell[0] = value + magic
  return words[0]!
}

export const bit = (vm: Vm): Library => {
  const { wasm } = vm
  const { lua } = wasm
  const argument = (L: State, index: number): number => toBits(lua.luaL_checknumber(L, index))
  const unary =
    (operation: (value: number) => number) =>
    (L: State): number => {
      lua.lua_pushnumber(L, operation(argument(L, 1)) | 0)
      return 1
    }
  const folding =
    (operation: (left: number, right: number) => number) =>
    (L: State): number => {
      let value = argument(L, 1)
      for (let index = lua.lua_gettop(L); index > 1; index--) value = operation(value, argument(L, index))
      lua.lua_pushnumber(L, value | 0)
      return 1
    }
  const shift =
    (operation: (value: number, by: number) => number) =>
    (L: State): number => {
      const value = argument(L, 1)
      lua.lua_pushnumber(L, operation(value, argument(L, 2) & 31) | 0)
      return 1
    }
  return {
    tobit: unary((value) => value),
    bnot: unary((value) => ~value),
    band: folding((left, right) => left & right),
    bor: folding((left, right) => left | right),
    bxor: folding((left, right) => left ^ right),
    lshift: shift((value, by) => value << by),
    rshift: shift((value, by) => value >>> by),
    arshift: shift((value, by) => value >> by),
    rol: shift((value, by) => (value << by) | (value >>> ((32 - by) & 31))),
    ror: shift((value, by) => (value >>> by) | (value << ((32 - by) & 31))),
    bswap: unary((value) => (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)),
    tohex: (L) => {
      const hex = (argument(L, 1) >>> 0).toString(16).padStart(8, "0")
      const count = lua.lua_type(L, 2) < 0 ? 8 : argument(L, 2)
      const digits = hex.slice(8 - Math.min(8, Math.abs(count)))
      wasm.pushString(L, count < 0 ? digits.toUpperCase() : digits)
      return 1
    },
  }
}
