/**
 * One Lua interpreter and the script that runs on it. It is made when it is first needed, and thrown away after a script that
 * broke it, had to be ended by force or let its memory grow; whoever keeps something compiled compares `vm` to see whether it
 * still counts.
 *
 * The idea to hold: a run ends with a reply, or pauses where Lua can be left and entered again. The limits are on the time in
 * which nobody else could be answered, so they begin anew with every pause.
 * The invariant: one run at a time; between two runs `invocation` is undefined.
 */
import type * as Reply from "../codec/Reply.ts"
import type { Random } from "./lua/Random.ts"
import type { RedisHost } from "./lua/RedisLibrary.ts"
import { cText, errorReply, popReply, type Protocol } from "./lua/Values.ts"
import { type Mode, type Position, ScriptEnded, Vm, type Watch } from "./lua/Vm.ts"
import { type State, Status, Type, VmBroken } from "./lua/Wasm.ts"
import type { Invocation, Paused } from "./ScriptEngine.ts"

export interface LuaLimits {
  /** No script gets more memory; it sees "not enough memory". */
  readonly memoryBytesMax: number
  /** No script keeps others waiting longer, even one that catches every error. */
  readonly timeMsMax: number
  /** The same in Lua instructions, which also ends a script when the clock stands still. */
  readonly instructionsMax: number
}

/** What can be run: a script or a function of a library. */
export interface Callee {
  /** SHA1 or name of the function, as errors tell it. */
  readonly name: string
  /** Pushes the function and its arguments; gives their number. */
  readonly enter: (vm: Vm, invocation: Invocation) => number
}

/** What the interpreters of an engine share. */
export interface InterpreterServices {
  readonly limits: () => LuaLimits
  readonly now: () => number
  readonly sha1: (bytes: string) => string
  readonly random: Random
}

/** An interpreter whose memory grew beyond this is not kept. */
const keptMemoryBytesMax = 64 * 1024 * 1024
/** What a script's end says when it took longer than the server allows. */
const timeout = "Script ran longer than this server allows"
const unregistered = "redis.register_function can only be called on FUNCTION LOAD command"

export class Interpreter implements RedisHost {
  /** Of the Lua interface, which is that of the oracle, not of the commands (config/Version.ts). */
  readonly version = "7.0.15"
  readonly versionNumber = 0x07000f
  readonly random: Random
  readonly sha1: (bytes: string) => string
  protocol: Protocol = 2
  /** Takes what `redis.register_function` gets, while a library is loaded. */
  registering: ((vm: Vm, L: State) => string | undefined) | undefined
  private vm: Vm | undefined
  private invocation: Invocation | undefined
  private readonly mode: Mode
  private readonly services: InterpreterServices

  constructor(mode: Mode, services: InterpreterServices) {
    this.mode = mode
    this.services = services
    this.random = services.random
    this.sha1 = services.sha1
  }

  call(argv: ReadonlyArray<string>): Reply.Reply {
    return this.invocation!.call(argv, this.protocol)
  }
  aclAllows(argv: ReadonlyArray<string>): boolean | undefined {
    return this.invocation!.aclAllows(argv)
  }
  log(level: number, message: string): void {
    this.invocation?.log(level, message)
  }
  setReplication(flags: number): void {
    this.invocation!.setReplication(flags)
  }
  register(L: State): string | undefined {
    return this.registering === undefined ? unregistered : this.registering(this.current(), L)
  }

  /** The state of Lua, made if there is none. */
  current(): Vm {
    this.vm ??= new Vm(this.mode, this, this.services.limits(), this.services.now)
    return this.vm
  }

  discard(): void {
    this.vm = undefined
  }

  /** Whether `vm` is still the one in use. */
  isCurrent(vm: Vm | undefined): boolean {
    return vm !== undefined && vm === this.vm
  }

  /** 0 while there is no interpreter. */
  get memoryBytes(): number {
    return this.vm?.wasm.memoryBytes ?? 0
  }

  /** Runs `body`; if Lua breaks by that it is thrown away, and `broken` says what comes of it. */
  guarded<A>(body: () => A, broken: (error: { readonly message: string }) => A): A {
    try {
      return body()
    } catch (error) {
      return this.recover(error, broken)
    }
  }

  private recover<A>(error: unknown, broken: (error: { readonly message: string }) => A): A {
    this.discard()
    this.invocation = undefined
    // A RangeError is the end of JavaScript's own stack, reached from Lua.
    if (error instanceof VmBroken || error instanceof RangeError || isTrap(error)) return broken(error)
    throw error
  }

  run(callee: Callee, given: Invocation): Reply.Reply | Paused {
    try {
      const vm = this.current()
      const limits = this.services.limits()
      vm.wasm.memoryBytesMax = limits.memoryBytesMax
      this.invocation = given
      this.protocol = 2
      const watch: Watch = {
        startedAtMs: given.nowMs,
        timeMsMax: limits.timeMsMax,
        instructionsMax: limits.instructionsMax,
        timeout,
        pauseAtMs: given.nowMs + given.pauseAfterMs,
      }
      return this.settle(vm, callee.name, vm.start(callee.enter(vm, given), watch), watch)
    } catch (error) {
      return this.interrupted(callee.name, error)
    }
  }

  /** The reply of a run that was ended by an exception of ours. */
  private interrupted(name: string, error: unknown): Reply.Reply {
    if (!(error instanceof ScriptEnded)) {
      return this.recover(error, ({ message }) => errorReply(`ERR Error running script ${name}, ${message}`))
    }
    this.discard()
    return this.ended(name, `ERR ${error.message}`, error.position)
  }

  /** What has come of a run that came back: a reply, or a pause. */
  private settle(vm: Vm, name: string, status: number, watch: Watch): Reply.Reply | Paused {
    if (status === Status.yield) return this.paused(vm, name, watch)
    if (status !== Status.ok) return this.failed(vm, name, status)
    const L = vm.stack
    vm.wasm.lua.lua_settop(L, 1)
    const reply = popReply(vm, L, this.invocation!.protocol, this.protocol)
    vm.finish(false)
    this.end(vm)
    return reply
  }

  private end(vm: Vm): void {
    this.invocation = undefined
    if (vm.wasm.memoryBytes > keptMemoryBytesMax) this.discard()
  }

  /** An error with the place it came from, as Redis prints it. */
  private ended(name: string, message: string, position: Position | undefined): Reply.Reply {
    this.invocation = undefined
    const place = position === undefined ? "" : `, on ${position.source}:${position.line}`
    return errorReply(`${cText(message)} script: ${name}${place}.`)
  }

  private failed(vm: Vm, name: string, status: number): Reply.Reply {
    let message = "ERR not enough memory"
    let position: Position | undefined
    if (status !== Status.errorMemory) {
      position = vm.position()
      message = errorMessage(vm, vm.stack)
    }
    vm.finish(true)
    const reply = this.ended(name, message, position)
    this.end(vm)
    return reply
  }

  private paused(vm: Vm, name: string, watch: Watch): Paused {
    return {
      _tag: "Paused",
      resume: (sliceMs) => {
        watch.startedAtMs = this.services.now()
        watch.pauseAtMs = watch.startedAtMs + sliceMs
        try {
          return this.settle(vm, name, vm.resume(), watch)
        } catch (error) {
          return this.interrupted(name, error)
        }
      },
      kill: (message) => {
        const position = vm.pausedAt
        vm.finish(true)
        const reply = this.ended(name, `ERR ${message}`, position)
        this.end(vm)
        return reply
      },
    }
  }
}

/** The text of the error on top of the stack. */
export const errorMessage = (vm: Vm, L: State): string => {
  const { wasm } = vm
  const { lua } = wasm
  switch (lua.lua_type(L, -1)) {
    case Type.table: {
      wasm.pushString(L, "err")
      lua.lua_rawget(L, -2)
      // Redis 7.0.15 itself ends here; any text is better.
      return wasm.toString(L, -1) ?? "ERR unknown error"
    }
    case Type.string:
    case Type.number:
      return `ERR ${wasm.toString(L, -1)}`
    case Type.boolean:
      return `ERR ${lua.lua_toboolean(L, -1) !== 0}`
    case Type.nil:
      return "ERR nil"
    default:
      return "ERR error object is not a string"
  }
}

/** Traps of WebAssembly are not a class that the library types know. */
const isTrap = (error: unknown): error is Error => error instanceof Error && error.name === "RuntimeError"
