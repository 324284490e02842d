/** math.random and math.randomseed over the generator of Redis. */
import type { Library } from "./Tables.ts"
import type { Vm } from "./Vm.ts"
import type { State } from "./Wasm.ts"

export const math = (vm: Vm): Library => {
  const { wasm } = vm
  const { lua } = wasm
  /** As a C `int`: what does not fit wraps around. */
  const checkInt = (L: State, index: number): number => lua.luaL_checknumber(L, index) | 0
  return {
    random: (L) => {
      const fraction = vm.random.next()
      const count = lua.lua_gettop(L)
      if (count > 2) return wasm.raise(L, "wrong number of arguments")
      if (count === 0) {
        lua.lua_pushnumber(L, fraction)
        return 1
      }
      const lower = count === 1 ? 1 : checkInt(L, 1)
      const upper = checkInt(L, count)
      if (lower > upper) wasm.argumentError(L, count, "interval is empty")
      lua.lua_pushnumber(L, Math.floor(fraction * ((upper - lower + 1) | 0)) + lower)
      return 1
    },
    randomseed: (L) => {
      vm.random.seed(checkInt(L, 1))
      return 0
    },
  }
}
