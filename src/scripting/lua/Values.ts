/**
 * Replies as Lua values and Lua values as replies, in the four combinations of what the script asked for (`redis.setresp`)
 * and what the client speaks.
 *
 * The idea to hold: a reply has no protocol version until it reaches a script or a client. A script that speaks RESP2 sees a
 * map as a flat list and a double as text; one that speaks RESP3 sees tables with one telling field (`map`, `double`, ...).
 */
import { formatDouble } from "../../bytes/Numbers.ts"
import * as Reply from "../../codec/Reply.ts"
import type { Vm } from "./Vm.ts"
import { type State, Type } from "./Wasm.ts"

export type Protocol = 2 | 3

/** Pushes what a script that speaks `protocol` gets for `reply`. */
export const pushReply = (vm: Vm, L: State, reply: Reply.Reply, protocol: Protocol): void => {
  const { wasm } = vm
  const { lua } = wasm
  switch (reply._tag) {
    case "Bulk":
      return wasm.pushString(L, reply.value)
    case "Int":
      return lua.lua_pushnumber(L, Number(reply.value))
    case "Nil":
    case "NilArray":
      return protocol === 3 ? lua.lua_pushnil(L) : lua.lua_pushboolean(L, 0)
    case "Simple":
      return pushField(vm, L, "ok", () => wasm.pushString(L, reply.value))
    case "Failure":
      return pushError(vm, L, errorText(reply.code, reply.message), true)
    case "Bulks":
      return pushBulks(vm, L, reply.values, protocol)
    case "Array":
    case "Push":
      return pushArray(vm, L, reply.values, protocol)
    case "Set":
      return protocol === 3 ? pushSet(vm, L, reply.values) : pushArray(vm, L, reply.values, protocol)
    case "Map":
      return protocol === 3 ? pushMap(vm, L, reply.entries) : pushArray(vm, L, reply.entries, protocol)
    case "Double":
      return protocol === 3
        ? pushField(vm, L, "double", () => lua.lua_pushnumber(L, reply.value))
        : wasm.pushString(L, formatDouble(reply.value))
    case "Bool":
      return protocol === 3 ? lua.lua_pushboolean(L, reply.value ? 1 : 0) : lua.lua_pushnumber(L, reply.value ? 1 : 0)
    case "BigNumber":
      return protocol === 3
        ? pushField(vm, L, "big_number", () => wasm.pushString(L, reply.value))
        : wasm.pushString(L, reply.value)
    case "Verbatim":
      return protocol === 3 ? pushVerbatim(vm, L, reply) : wasm.pushString(L, reply.value)
    case "Attribute":
      return pushReply(vm, L, reply.reply, protocol)
    case "Torn":
      return lua.lua_pushnil(L)
    case "Sequence":
      return reply.replies.length === 0 ? lua.lua_pushnil(L) : pushReply(vm, L, reply.replies[0]!, protocol)
  }
}

/** How deep replies may be nested in each other: each level takes three slots of Lua's stack. */
const slotsPerLevel = 4

const room = (vm: Vm, L: State): void => {
  if (vm.wasm.lua.lua_checkstack(L, slotsPerLevel) === 0) vm.wasm.raise(L, "reached lua stack limit")
}

const pushField = (vm: Vm, L: State, name: string, push: () => void): void => {
  const { lua } = vm.wasm
  room(vm, L)
  lua.lua_createtable(L, 0, 0)
  vm.wasm.pushString(L, name)
  push()
  lua.lua_rawset(L, -3)
}

/** An error as scripts know it. `counted`: the command that failed has been counted, the script's end is not counted again. */
export const pushError = (vm: Vm, L: State, text: string, counted: boolean): void => {
  const { lua } = vm.wasm
  pushField(vm, L, "err", () => vm.wasm.pushString(L, text))
  if (!counted) return
  vm.wasm.pushString(L, "ignore_error_stats_update")
  lua.lua_pushboolean(L, 1)
  lua.lua_rawset(L, -3)
}

const pushBulks = (vm: Vm, L: State, values: ReadonlyArray<string | undefined>, protocol: Protocol): void => {
  const { lua } = vm.wasm
  room(vm, L)
  lua.lua_createtable(L, values.length, 0)
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (value !== undefined) vm.wasm.pushString(L, value)
    else if (protocol === 3) lua.lua_pushnil(L)
    else lua.lua_pushboolean(L, 0)
    lua.lua_rawseti(L, -2, i + 1)
  }
}

const pushArray = (vm: Vm, L: State, values: ReadonlyArray<Reply.Reply>, protocol: Protocol): void => {
  const { lua } = vm.wasm
  room(vm, L)
  lua.lua_createtable(L, values.length, 0)
  for (let i = 0; i < values.length; i++) {
    pushReply(vm, L, values[i]!, protocol)
    lua.lua_rawseti(L, -2, i + 1)
  }
}

const pushSet = (vm: Vm, L: State, values: ReadonlyArray<Reply.Reply>): void =>
  pushField(vm, L, "set", () => {
    const { lua } = vm.wasm
    lua.lua_createtable(L, 0, 0)
    for (const value of values) {
      pushReply(vm, L, value, 3)
      lua.lua_pushboolean(L, 1)
      lua.lua_rawset(L, -3)
    }
  })

const pushMap = (vm: Vm, L: State, entries: ReadonlyArray<Reply.Reply>): void =>
  pushField(vm, L, "map", () => {
    const { lua } = vm.wasm
    lua.lua_createtable(L, 0, 0)
    for (let i = 0; i + 1 < entries.length; i += 2) {
      pushReply(vm, L, entries[i]!, 3)
      pushReply(vm, L, entries[i + 1]!, 3)
      lua.lua_rawset(L, -3)
    }
  })

const pushVerbatim = (vm: Vm, L: State, reply: Reply.Verbatim): void =>
  pushField(vm, L, "verbatim_string", () => {
    const { wasm } = vm
    wasm.lua.lua_createtable(L, 0, 0)
    wasm.pushString(L, "string")
    wasm.pushString(L, reply.value)
    wasm.lua.lua_rawset(L, -3)
    wasm.pushString(L, "format")
    wasm.pushString(L, reply.format)
    wasm.lua.lua_rawset(L, -3)
  })

const errorText = (code: string, message: string): string => (message === "" ? code : `${code} ${message}`)

/** An error reply of a text that begins with its code. */
export const errorReply = (text: string): Reply.Reply => {
  const clean = singleLine(cText(text))
  const space = clean.indexOf(" ")
  return space < 0
    ? { _tag: "Failure", code: clean, message: "" }
    : { _tag: "Failure", code: clean.slice(0, space), message: clean.slice(space + 1) }
}

/** What C sees of a text: it ends at the first zero byte. */
export const cText = (text: string): string => {
  const end = text.indexOf("\0")
  return end < 0 ? text : text.slice(0, end)
}

const singleLine = (text: string): string => text.replace(/[\r\n]/g, " ")

/**
 * Takes the value on top of the stack as the reply to a client that speaks `client`; the script itself speaks `script`,
 * which decides whether `false` is nil or a boolean.
 */
export const popReply = (vm: Vm, L: State, client: Protocol, script: Protocol, depth = 0): Reply.Reply => {
  const { wasm } = vm
  const { lua } = wasm
  let reply: Reply.Reply
  switch (lua.lua_type(L, -1)) {
    case Type.string:
      reply = Reply.bulk(wasm.toString(L, -1)!)
      break
    case Type.number:
      reply = Reply.int(truncate(lua.lua_tonumber(L, -1)))
      break
    case Type.boolean: {
      const value = lua.lua_toboolean(L, -1) !== 0
      reply = script === 3 ? Reply.bool(value) : value ? Reply.one : Reply.nil
      break
    }
    case Type.table:
      reply =
        depth >= depthMax || lua.lua_checkstack(L, slotsPerLevel) === 0
          ? stackLimit
          : tableReply(vm, L, client, script, depth + 1)
      break
    default:
      reply = Reply.nil
  }
  lua.lua_settop(L, -2)
  return reply
}

/** Differs: Redis goes on until Lua's stack is full, some thousand levels; encoding them would need as much of JavaScript's. */
const depthMax = 1000
const stackLimit: Reply.Reply = { _tag: "Failure", code: "ERR", message: "reached lua stack limit" }
const int64Limit = 2 ** 63

/** As a C cast to a 64-bit integer does on x86: what does not fit becomes the smallest one. */
const truncate = (value: number): number | bigint => {
  if (!(value >= -int64Limit && value < int64Limit)) return -(2n ** 63n)
  const whole = Math.trunc(value) + 0
  return Number.isSafeInteger(whole) ? whole : BigInt(whole)
}

/** Pushes field `name` of the table on top of the stack, past metatables. */
const pushFieldOf = (vm: Vm, L: State, name: string): number => {
  vm.wasm.pushString(L, name)
  vm.wasm.lua.lua_rawget(L, -2)
  return vm.wasm.lua.lua_type(L, -1)
}

const tableReply = (vm: Vm, L: State, client: Protocol, script: Protocol, depth: number): Reply.Reply => {
  const { wasm } = vm
  const { lua } = wasm
  const drop = () => lua.lua_settop(L, -2)
  if (pushFieldOf(vm, L, "err") === Type.string) {
    const text = wasm.toString(L, -1)!
    drop()
    return errorReply(text)
  }
  drop()
  if (pushFieldOf(vm, L, "ok") === Type.string) {
    const text = wasm.toString(L, -1)!
    drop()
    return Reply.simple(singleLine(cText(text)))
  }
  drop()
  if (pushFieldOf(vm, L, "double") === Type.number) {
    const value = lua.lua_tonumber(L, -1)
    drop()
    return Reply.double(value)
  }
  drop()
  if (pushFieldOf(vm, L, "map") === Type.table) {
    const entries: Array<Reply.Reply> = []
    lua.lua_pushnil(L)
    while (lua.lua_next(L, -2) !== 0) {
      lua.lua_pushvalue(L, -2)
      entries.push(popReply(vm, L, client, script, depth))
      entries.push(popReply(vm, L, client, script, depth))
    }
    drop()
    return Reply.map(entries)
  }
  drop()
  if (pushFieldOf(vm, L, "set") === Type.table) {
    const values: Array<Reply.Reply> = []
    lua.lua_pushnil(L)
    while (lua.lua_next(L, -2) !== 0) {
      drop()
      lua.lua_pushvalue(L, -1)
      values.push(popReply(vm, L, client, script, depth))
    }
    drop()
    return Reply.set(values)
  }
  drop()
  if (pushFieldOf(vm, L, "big_number") === Type.string) {
    const text = wasm.toString(L, -1)!
    drop()
    return Reply.bigNumber(singleLine(text))
  }
  drop()
  if (pushFieldOf(vm, L, "verbatim_string") === Type.table) {
    const isFormatted = pushFieldOf(vm, L, "format") === Type.string
    const format = isFormatted ? wasm.toString(L, -1)! : ""
    drop()
    const hasText = pushFieldOf(vm, L, "string") === Type.string
    const text = hasText ? wasm.toString(L, -1)! : ""
    lua.lua_settop(L, -3)
    if (isFormatted && hasText) return Reply.verbatim(format.slice(0, 3).padEnd(3), text)
  } else drop()
  return arrayReply(vm, L, client, script, depth)
}

/** The elements from 1 up to the first nil. */
const arrayReply = (vm: Vm, L: State, client: Protocol, script: Protocol, depth: number): Reply.Reply => {
  const { lua } = vm.wasm
  const values: Array<Reply.Reply> = []
  for (let index = 1; ; index++) {
    lua.lua_rawgeti(L, -1, index)
    if (lua.lua_type(L, -1) === Type.nil) {
      lua.lua_settop(L, -2)
      return Reply.array(values)
    }
    values.push(popReply(vm, L, client, script, depth))
  }
}
