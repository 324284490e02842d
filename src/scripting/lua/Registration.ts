/** The arguments of `redis.register_function`: a name and a callback, or one table with names for them and more. */
import type { LibraryFunction } from "../ScriptEngine.ts"
import { type Flag, isFlag, isName, nameRule } from "../Shebang.ts"
import type { Vm } from "./Vm.ts"
import { registryIndex, type State, Type } from "./Wasm.ts"

export interface Registration {
  readonly definition: LibraryFunction
  /** Registry reference of the callback. */
  readonly ref: number
}

/** Reads them from the stack; a text is what is wrong with them. */
export const functionOf = (vm: Vm, L: State): Registration | string => {
  const { lua } = vm.wasm
  const count = lua.lua_gettop(L)
  if (count < 1 || count > 2) return "wrong number of arguments to redis.register_function"
  if (count === 1) {
    if (lua.lua_type(L, 1) === Type.table) return named(vm, L)
    return "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments)."
  }
  if (lua.lua_isstring(L, 1) === 0) return "first argument to redis.register_function must be a string"
  const name = vm.wasm.toString(L, 1)!
  if (lua.lua_type(L, 2) !== Type.function) return "second argument to redis.register_function must be a function"
  if (!isName(name)) return nameRule
  lua.lua_pushvalue(L, 2)
  return { definition: { name, description: undefined, flags: new Set() }, ref: lua.luaL_ref(L, registryIndex) }
}

const named = (vm: Vm, L: State): Registration | string => {
  const { wasm } = vm
  const { lua } = wasm
  let name: string | undefined
  let description: string | undefined
  let flags: ReadonlySet<Flag> = new Set()
  let ref: number | undefined
  lua.lua_pushnil(L)
  while (lua.lua_next(L, 1) !== 0) {
    if (lua.lua_isstring(L, -2) === 0) {
      return "named argument key given to redis.register_function is not a string"
    }
    const type = lua.lua_type(L, -1)
    const isText = lua.lua_isstring(L, -1) !== 0
    switch (wasm.toString(L, -2)!.toLowerCase()) {
      case "function_name":
        if (!isText) return "function_name argument given to redis.register_function must be a string"
        name = wasm.toString(L, -1)
        break
      case "description":
        if (!isText) return "description argument given to redis.register_function must be a string"
        description = wasm.toString(L, -1)
        break
      case "callback":
        if (type !== Type.function) return "callback argument given to redis.register_function must be a function"
        lua.lua_pushvalue(L, -1)
        ref = lua.luaL_ref(L, registryIndex)
        break
      case "flags": {
        if (type !== Type.table) {
          return "flags argument to redis.register_function must be a table representing function flags"
        }
        const read = readFlags(vm, L)
        if (read === undefined) return "unknown flag given"
        flags = read
        break
      }
      default:
        return "unknown argument given to redis.register_function"
    }
    lua.lua_settop(L, -2)
  }
  if (name === undefined) return "redis.register_function must get a function name argument"
  if (ref === undefined) return "redis.register_function must get a callback argument"
  if (!isName(name)) return nameRule
  return { definition: { name, description, flags }, ref }
}

/** The strings of the list on top of the stack; undefined when one is no flag. */
const readFlags = (vm: Vm, L: State): ReadonlySet<Flag> | undefined => {
  const { wasm } = vm
  const flags = new Set<Flag>()
  for (let index = 1; ; index++) {
    wasm.lua.lua_rawgeti(L, -1, index)
    if (wasm.lua.lua_type(L, -1) === Type.nil) {
      wasm.lua.lua_settop(L, -2)
      return flags
    }
    const name = wasm.toString(L, -1)
    wasm.lua.lua_settop(L, -2)
    if (name === undefined || !isFlag(name)) return undefined
    flags.add(name)
  }
}
