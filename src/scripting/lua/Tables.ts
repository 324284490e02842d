/**
 * A Lua state with its tables: how fields and libraries get into the global table, and how a table is protected from scripts.
 *
 * Lua 5.1 has no read-only tables. A protected table is therefore two: the real one, hidden, and an empty one in front of it
 * that reads through and refuses writes by its metatable; the base functions that go past metatables (`next`, `rawset`, ...)
 * are replaced by ones that know the pairs (see BaseLibrary).
 */
import { cText } from "./Values.ts"
import { globalsIndex, registryIndex, type State, VmBroken, Wasm } from "./Wasm.ts"

export type Library = Readonly<Record<string, (L: State) => number>>
/** What a table of ours contains: JavaScript functions, numbers and texts. */
export type Fields = Readonly<Record<string, ((L: State) => number) | number | string>>

export class Tables {
  readonly wasm: Wasm
  /** The main state; scripts run in a thread of it. */
  readonly L: State
  /** Hidden tables by the pointer of the protected table in front of them. */
  private readonly hidden = new Map<number, number>()
  /** Registry reference of the hidden global table. */
  readonly globals: number
  /** Pointers of the protected global tables. */
  readonly globalTables = new Set<number>()
  /** The C functions that complain about a change, and about a global that is not there. */
  private readonly readonlyError: number
  private readonly missing: number

  constructor(memoryBytesMax: number) {
    const wasm = (this.wasm = new Wasm({ memoryBytesMax }))
    const { lua } = wasm
    const L = (this.L = lua.luaL_newstate())
    if (L === 0) throw new VmBroken("no memory for a Lua state")
    wasm.checkLayout(L)
    this.readonlyError = wasm.addFunctions([(state) => wasm.raise(state, readonlyMessage)])
    this.missing = wasm.addFunctions([
      (state) => wasm.raise(state, unknownGlobal(cText(wasm.toString(state, 2) ?? "(null)"))),
    ])
    lua.luaopen_base(L)
    lua.luaopen_table(L)
    lua.luaopen_string(L)
    lua.luaopen_math(L)
    lua.lua_settop(L, 0)
    lua.lua_pushvalue(L, globalsIndex)
    this.globals = lua.luaL_ref(L, registryIndex)
  }

  /** Sets a field of the hidden global table to what `push` pushes. */
  setGlobal(name: string, push: () => void): void {
    const { lua } = this.wasm
    lua.lua_rawgeti(this.L, registryIndex, this.globals)
    this.setField(name, push)
    lua.lua_settop(this.L, -2)
  }

  /** Sets a field of the table on top of the stack, past metatables. */
  setField(name: string, push: () => void): void {
    this.wasm.pushString(this.L, name)
    push()
    this.wasm.lua.lua_rawset(this.L, -3)
  }

  /** Adds fields to the table on top of the stack; in their order, which decides the order that `pairs` finds. */
  setFields(fields: Fields): void {
    const { wasm, L } = this
    const functions = Object.values(fields).filter((value) => typeof value === "function")
    let next = functions.length === 0 ? 0 : wasm.addFunctions(functions)
    for (const [name, value] of Object.entries(fields)) {
      this.setField(name, () => {
        if (typeof value === "function") wasm.lua.lua_pushcclosure(L, next++, 0)
        else if (typeof value === "number") wasm.lua.lua_pushnumber(L, value)
        else wasm.pushString(L, value)
      })
    }
  }

  /** Adds to, or replaces in, a library that Lua brought. */
  extend(name: string, library: Library): void {
    this.pushGlobal(name)
    this.setFields(library)
    this.wasm.lua.lua_settop(this.L, -2)
  }

  /** A new global library. `more` may add fields that are no functions. */
  addTable(name: string, fields: Fields, more?: () => void): void {
    this.setGlobal(name, () => {
      this.wasm.lua.lua_createtable(this.L, 0, 0)
      this.setFields(fields)
      more?.()
    })
  }

  /** Pushes a field of the hidden global table. */
  pushGlobal(name: string): void {
    const { lua } = this.wasm
    lua.lua_rawgeti(this.L, registryIndex, this.globals)
    this.wasm.pushString(this.L, name)
    lua.lua_rawget(this.L, -2)
    lua.lua_remove(this.L, -2)
  }

  /** The C function behind a field of a library that Lua brought. */
  original(library: string | undefined, name: string): (L: State) => number {
    const { lua } = this.wasm
    if (library === undefined) this.pushGlobal(name)
    else {
      this.pushGlobal(library)
      this.wasm.pushString(this.L, name)
      lua.lua_rawget(this.L, -2)
      lua.lua_remove(this.L, -2)
    }
    const pointer = lua.lua_tocfunction(this.L, -1)
    lua.lua_settop(this.L, -2)
    return this.wasm.cFunction(pointer)
  }

  /** Replaces the table on top of the stack with a protected one in front of it. */
  protect(): void {
    const { lua } = this.wasm
    const L = this.L
    lua.lua_createtable(L, 0, 0)
    this.hidden.set(lua.lua_topointer(L, -1), 0)
    lua.lua_createtable(L, 0, 2)
    this.setField("__index", () => lua.lua_pushvalue(L, -4))
    this.setField("__newindex", () => lua.lua_pushcclosure(L, this.readonlyError, 0))
    lua.lua_setmetatable(L, -2)
    const pointer = lua.lua_topointer(L, -1)
    // Anchored for good, so that the pointer keeps its meaning.
    lua.lua_pushvalue(L, -1)
    lua.luaL_ref(L, registryIndex)
    lua.lua_insert(L, -2)
    this.hidden.set(pointer, lua.luaL_ref(L, registryIndex))
  }

  /** The registry reference of the hidden table, when the value at `index` is a protected one. */
  hiddenOf(L: State, index: number): number | undefined {
    return this.hidden.get(this.wasm.lua.lua_topointer(L, index))
  }

  /** Complains of a change, without a position, as the functions that go past metatables do. */
  refuseProtected(L: State): never {
    this.wasm.pushString(L, readonlyMessage)
    return this.wasm.throwTop(L)
  }

  /** Pushes a metatable whose `__index` complains. */
  protected pushComplaining(): void {
    this.wasm.lua.lua_createtable(this.L, 0, 1)
    this.setField("__index", () => this.wasm.lua.lua_pushcclosure(this.L, this.missing, 0))
  }

  /** Protects the table on top of the stack as a table of globals; gives the reference of what stands in front of it. */
  protected protectAsGlobals(): number {
    const { lua } = this.wasm
    this.pushComplaining()
    lua.lua_setmetatable(this.L, -2)
    this.protect()
    this.globalTables.add(lua.lua_topointer(this.L, -1))
    return lua.luaL_ref(this.L, registryIndex)
  }
}

const readonlyMessage = "Attempt to modify a readonly table"
const unknownGlobal = (name: string) => `Script attempted to access nonexistent global variable '${name}'`
