/**
 * The table `redis` of scripts: calling commands, making replies, logging. What a call does is up to the host.
 *
 * The idea to hold: errors of this library are tables with a field `err` and no position; a script that does not catch one
 * ends with it, and only then is the position added.
 */
import type * as Reply from "../../codec/Reply.ts"
import { argument, toInt32 } from "./Format.ts"
import { cText, type Protocol, pushError, pushReply } from "./Values.ts"
import type { Random } from "./Random.ts"
import type { Fields } from "./Tables.ts"
import type { Vm } from "./Vm.ts"
import { type State, Type } from "./Wasm.ts"

/** What scripts reach outside of Lua. The engine fills it in anew for every run. */
export interface RedisHost {
  /** Runs a command for the script. */
  call: (argv: ReadonlyArray<string>) => Reply.Reply
  /** Whether the user may run `argv`; undefined when there is no such command. */
  aclAllows: (argv: ReadonlyArray<string>) => boolean | undefined
  /** Level 0 (debug) to 3 (warning). */
  log: (level: number, message: string) => void
  /** A sum of REPL_AOF (1) and REPL_REPLICA (2). */
  setReplication: (flags: number) => void
  /** What the running script speaks, as `redis.setresp` left it. */
  protocol: Protocol
  readonly sha1: (bytes: string) => string
  readonly version: string
  /** The generator of math.random, which outlives an interpreter. */
  readonly random: Random
  readonly versionNumber: number
  /** Takes the arguments of `redis.register_function`; gives the reason if it refuses. */
  register: ((L: State) => string | undefined) | undefined
}

const needsArgument = "Please specify at least one argument for this redis lib call"
const argumentTypes = "Lua redis lib command arguments must be strings or integers"

export const redis = (vm: Vm, host: RedisHost): void => {
  const { wasm } = vm
  const { lua } = wasm

  /** The arguments of a call as words of a request, or what is wrong with them. */
  const requestOf = (L: State): Array<string> | string => {
    const count = wasm.argumentCount(L)
    if (count === 0) return needsArgument
    const argv: Array<string> = []
    for (let index = 1; index <= count; index++) {
      const value = wasm.argument(L, index)
      if (value === undefined) return argumentTypes
      argv.push(typeof value === "string" ? value : argument(value))
    }
    return argv
  }

  const call = (L: State, raisesErrors: boolean): number => {
    const request = requestOf(L)
    if (typeof request === "string") {
      pushError(vm, L, `ERR ${request}`, false)
      return raisesErrors ? wasm.throwTop(L) : 1
    }
    const reply = host.call(request)
    pushReply(vm, L, reply, host.protocol)
    return raisesErrors && reply._tag === "Failure" ? wasm.throwTop(L) : 1
  }

  const singleField = (L: State, name: string): number => {
    if (lua.lua_gettop(L) !== 1 || lua.lua_type(L, 1) !== Type.string) {
      pushError(vm, L, "ERR wrong number or type of arguments", false)
      return 1
    }
    lua.lua_createtable(L, 0, 0)
    wasm.pushString(L, name)
    lua.lua_pushvalue(L, 1)
    lua.lua_rawset(L, -3)
    return 1
  }

  // In Redis's order, which `pairs` shows.
  vm.addTable("redis", {
    call: (L) => call(L, true),
    pcall: (L) => call(L, false),
    ...logging(vm, host),
    ...versions(host),
    setresp: (L) => {
      if (lua.lua_gettop(L) !== 1) return raise(vm, L, "redis.setresp() requires one argument.")
      const version = Math.trunc(lua.lua_tonumber(L, 1))
      if (version !== 2 && version !== 3) return raise(vm, L, "RESP version must be 2 or 3.")
      host.protocol = version
      return 0
    },
    sha1hex: (L) => {
      if (lua.lua_gettop(L) !== 1) return raise(vm, L, "wrong number of arguments")
      wasm.pushString(L, host.sha1(wasm.toString(L, 1) ?? ""))
      return 1
    },
    error_reply: (L) => {
      if (lua.lua_gettop(L) !== 1 || lua.lua_type(L, 1) !== Type.string) return singleField(L, "err")
      pushError(vm, L, withCode(cText(wasm.toString(L, 1)!)), false)
      return 1
    },
    status_reply: (L) => singleField(L, "ok"),
    set_repl: (L) => {
      if (lua.lua_gettop(L) !== 1) return raise(vm, L, "redis.set_repl() requires two arguments.")
      const flags = toInt32(lua.lua_tonumber(L, 1))
      if ((flags & ~3) !== 0) {
        return raise(vm, L, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
      }
      host.setReplication(flags)
      return 0
    },
    REPL_NONE: 0,
    REPL_AOF: 1,
    REPL_SLAVE: 2,
    REPL_REPLICA: 2,
    REPL_ALL: 3,
    acl_check_cmd: (L) => {
      const request = requestOf(L)
      if (typeof request === "string") return raise(vm, L, request)
      const allowed = host.aclAllows(request)
      if (allowed === undefined) return raise(vm, L, "Invalid command passed to redis.acl_check_cmd()")
      lua.lua_pushboolean(L, allowed ? 1 : 0)
      return 1
    },
    // There is no debugger, so a breakpoint never stops and `debug` has nobody to tell.
    breakpoint: (L) => {
      lua.lua_pushboolean(L, 0)
      return 1
    },
    debug: () => 0,
    replicate_commands: (L) => {
      lua.lua_pushboolean(L, 1)
      return 1
    },
  })
}

const raise = (vm: Vm, L: State, message: string): never => {
  pushError(vm, L, `ERR ${message}`, false)
  return vm.wasm.throwTop(L)
}

const versions = (host: RedisHost): Fields => ({
  REDIS_VERSION_NUM: host.versionNumber,
  REDIS_VERSION: host.version,
})

const logging = (vm: Vm, host: RedisHost): Fields => ({
  log: log(vm, host),
  LOG_DEBUG: 0,
  LOG_VERBOSE: 1,
  LOG_NOTICE: 2,
  LOG_WARNING: 3,
})

/** `redis.log(level, ...)` */
const log =
  (vm: Vm, host: RedisHost) =>
  (L: State): number => {
    const { wasm } = vm
    const { lua } = wasm
    const count = lua.lua_gettop(L)
    if (count < 2) return raise(vm, L, "redis.log() requires two arguments or more.")
    if (lua.lua_isnumber(L, 1) === 0) return raise(vm, L, "First argument must be a number (log level).")
    const level = toInt32(lua.lua_tonumber(L, 1))
    if (level < 0 || level > 3) return raise(vm, L, "Invalid debug level.")
    const words: Array<string> = []
    for (let index = 2; index <= count; index++) {
      const word = wasm.toString(L, index)
      if (word !== undefined) words.push(word)
    }
    host.log(level, words.join(" "))
    return 0
  }

/** Fills the table on top of the stack with what library code may call while it is loaded. */
export const libraryRedis = (vm: Vm, host: RedisHost): void => {
  vm.setFields({
    ...logging(vm, host),
    register_function: (L) => {
      const problem = host.register?.(L)
      return problem === undefined ? 0 : raise(vm, L, problem)
    },
    ...versions(host),
  })
}

/** An error text gets the code ERR unless it brings one: its first word when more follow. */
const withCode = (text: string): string => {
  const bare = (text.startsWith("-") ? text.slice(1) : text).replace(/[\r\n]+$/, "")
  return bare.includes(" ") ? bare : `ERR ${bare}`
}
