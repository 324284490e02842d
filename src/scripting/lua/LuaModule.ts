/**
 * The Lua 5.1 WebAssembly module: the C functions that it exports, with their types, and how functions of JavaScript become functions
 * of it. The module is the file that `wasmoon-lua5.1` ships. What an instance of it needs and can do is in Wasm.ts.
 */
import * as fs from "node:fs"
import { createRequire } from "node:module"

/** A pointer to a `lua_State`, and pointers in general: offsets into the memory. */
export type State = number
export type Pointer = number

/** The C functions used here, as the module exports them. */
export interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; readonly grow: (pages: number) => number }
  readonly __indirect_function_table: FunctionTable
  readonly __wasm_call_ctors: () => void
  readonly emscripten_stack_init: () => void
  readonly stackSave: () => Pointer
  readonly stackRestore: (stack: Pointer) => void
  readonly setThrew: (threw: number, value: number) => void
  readonly malloc: (bytes: number) => Pointer
  readonly free: (pointer: Pointer) => void
  readonly luaL_newstate: () => State
  readonly luaopen_base: (L: State) => number
  readonly luaopen_table: (L: State) => number
  readonly luaopen_string: (L: State) => number
  readonly luaopen_math: (L: State) => number
  readonly luaL_loadbuffer: (L: State, bytes: Pointer, length: number, name: Pointer) => number
  readonly luaL_where: (L: State, level: number) => void
  readonly luaL_argerror: (L: State, argument: number, message: Pointer) => number
  readonly luaL_checktype: (L: State, argument: number, type: number) => void
  readonly luaL_checknumber: (L: State, argument: number) => number
  readonly luaL_checklstring: (L: State, argument: number, length: Pointer) => Pointer
  readonly luaL_checkstack: (L: State, size: number, message: Pointer) => void
  readonly luaL_ref: (L: State, table: number) => number
  readonly luaL_unref: (L: State, table: number, ref: number) => void
  readonly lua_call: (L: State, argumentCount: number, resultCount: number) => void
  readonly lua_pcall: (L: State, argumentCount: number, resultCount: number, handler: number) => number
  readonly lua_resume: (L: State, argumentCount: number) => number
  readonly lua_yield: (L: State, resultCount: number) => number
  readonly lua_newthread: (L: State) => State
  readonly lua_error: (L: State) => number
  readonly lua_sethook: (L: State, hook: Pointer, mask: number, count: number) => number
  readonly lua_getstack: (L: State, level: number, record: Pointer) => number
  readonly lua_getinfo: (L: State, what: Pointer, record: Pointer) => number
  readonly lua_checkstack: (L: State, size: number) => number
  readonly lua_gettop: (L: State) => number
  readonly lua_settop: (L: State, index: number) => void
  readonly lua_pushvalue: (L: State, index: number) => void
  readonly lua_remove: (L: State, index: number) => void
  readonly lua_insert: (L: State, index: number) => void
  readonly lua_replace: (L: State, index: number) => void
  readonly lua_xmove: (from: State, to: State, count: number) => void
  readonly lua_type: (L: State, index: number) => number
  readonly lua_isnumber: (L: State, index: number) => number
  readonly lua_isstring: (L: State, index: number) => number
  readonly lua_tonumber: (L: State, index: number) => number
  readonly lua_toboolean: (L: State, index: number) => number
  readonly lua_tolstring: (L: State, index: number, length: Pointer) => Pointer
  readonly lua_tocfunction: (L: State, index: number) => number
  readonly lua_touserdata: (L: State, index: number) => Pointer
  readonly lua_topointer: (L: State, index: number) => Pointer
  readonly lua_objlen: (L: State, index: number) => number
  readonly lua_pushnil: (L: State) => void
  readonly lua_pushnumber: (L: State, value: number) => void
  readonly lua_pushboolean: (L: State, value: number) => void
  readonly lua_pushlstring: (L: State, bytes: Pointer, length: number) => void
  readonly lua_pushcclosure: (L: State, func: number, upvalues: number) => void
  readonly lua_pushlightuserdata: (L: State, pointer: Pointer) => void
  readonly lua_createtable: (L: State, arraySize: number, recordSize: number) => void
  readonly lua_gettable: (L: State, index: number) => void
  readonly lua_settable: (L: State, index: number) => void
  readonly lua_rawget: (L: State, index: number) => void
  readonly lua_rawgeti: (L: State, index: number, n: number) => void
  readonly lua_rawset: (L: State, index: number) => void
  readonly lua_rawseti: (L: State, index: number, n: number) => void
  readonly lua_next: (L: State, index: number) => number
  readonly lua_getmetatable: (L: State, index: number) => number
  readonly lua_setmetatable: (L: State, index: number) => number
  readonly lua_concat: (L: State, count: number) => void
}

export type CFunction = (L: State) => number
export interface FunctionTable {
  readonly length: number
  readonly grow: (delta: number) => number
  readonly get: (index: number) => (...values: ReadonlyArray<number>) => number
  readonly set: (index: number, value: unknown) => void
}

// The library types that come with Node leave WebAssembly out; these are the parts used.
interface WebAssemblyNamespace {
  readonly Module: (new (bytes: Uint8Array) => object) & { readonly imports: (module: object) => ReadonlyArray<Needed> }
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown }
}
const { Instance, Module } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyNamespace }).WebAssembly

let compiled: object | undefined
/** Compiled once for the process (about 5 ms), when the first script arrives. */
const compiledModule = (): object => {
  if (compiled === undefined) {
    const entry = createRequire(import.meta.url).resolve("wasmoon-lua5.1")
    compiled = new Module(fs.readFileSync(entry.replace(/index\.js$/, "liblua5.1.wasm")))
  }
  return compiled
}

/** A function of C that the module wants from outside. */
export interface Needed {
  readonly module: string
  readonly name: string
}

/** A new instance. `imports` gives what is needed, by module and name. */
export const instantiate = (imports: (needed: ReadonlyArray<Needed>) => object): Exports => {
  const module = compiledModule()
  return new Instance(module, imports(Module.imports(module))).exports as Exports
}

/**
 * Functions of JavaScript as functions of WebAssembly, which is all that a table accepts: passing one through an import and an export
 * of a module makes it one.
 */
export const asWasm = (functions: ReadonlyArray<unknown>, kind: "function" | "hook"): ReadonlyArray<unknown> => {
  const imports = Object.fromEntries(functions.map((f, index) => [String(index), f]))
  const instance = new Instance(new Module(trampoline(functions.length, kind)), { f: imports })
  const exported = instance.exports as Record<string, unknown>
  return functions.map((_, index) => exported[String(index)])
}

/** A module that exports what it imports. `function` is `(i32) -> i32`, `hook` is `(i32, i32) -> ()`. */
const trampoline = (count: number, kind: "function" | "hook"): Uint8Array => {
  const name = (text: string): Array<number> => [text.length, ...Buffer.from(text, "latin1")]
  const size = (value: number): Array<number> => (value < 128 ? [value] : [(value & 127) | 128, ...size(value >> 7)])
  const section = (id: number, body: Array<number>): Array<number> => [id, ...size(body.length), ...body]
  const indexes = Array.from({ length: count }, (_, index) => index)
  const i32 = 0x7f
  const type = kind === "function" ? [0x60, 1, i32, 1, i32] : [0x60, 2, i32, i32, 0]
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, ...type]),
    ...section(2, [...size(count), ...indexes.flatMap((index) => [...name("f"), ...name(String(index)), 0, 0])]),
    ...section(7, [...size(count), ...indexes.flatMap((index) => [...name(String(index)), 0, ...size(index)])]),
  ])
}
