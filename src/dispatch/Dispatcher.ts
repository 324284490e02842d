/**
 * From a request to its answer: find the command, pass the gates, queue or run it, turn an error into a reply, count, and
 * propagate what changed. The one place that runs commands, for connections, EXEC, scripts and the replayed log alike.
 *
 * The idea to hold: `dispatch` is synchronous and gives the reply itself whenever the command cannot wait; only a command
 * that parks gives an effect, which the connection's fiber runs. So a command costs no fiber, and nothing comes between
 * two commands of a transaction.
 * The invariant: a unit (see Propagation.ts) ends before the next request of anybody begins; blocked clients are served then.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import { Acl } from "../acl/Acl.ts"
import { toUtf8 } from "../bytes/Bytes.ts"
import { Chance } from "../clock/Chance.ts"
import { Clock } from "../clock/Clock.ts"
import * as Reply from "../codec/Reply.ts"
import { Args } from "../command/Args.ts"
import { type Client, noWords } from "../command/Client.ts"
import { Clients } from "../command/Clients.ts"
import {
  type Ctx,
  type Result,
  type Suspended as Unanswered,
  type ScriptRules,
  type Waiting,
} from "../command/Command.ts"
import { Observers } from "../command/Observers.ts"
import { Entry, Registry } from "../command/Registry.ts"
import { Stats } from "../command/Stats.ts"
import { Watches } from "../command/Watches.ts"
import { Config } from "../config/Config.ts"
import type { CommandError } from "../errors/CommandError.ts"
import { ExecAbort, InternalError, UnknownCommand } from "../errors/DispatchErrors.ts"
import { ScriptRefused } from "../errors/ScriptErrors.ts"
import { Persistence } from "../persistence/Persistence.ts"
import { Replication } from "../replication/Replication.ts"
import { ScriptEngine } from "../scripting/ScriptEngine.ts"
import { Memory } from "../store/Memory.ts"
import { Store } from "../store/Store.ts"
import * as Blocking from "./Blocking.ts"
import * as Gates from "./Gates.ts"
import * as Pausing from "./Pausing.ts"
import * as Propagation from "./Propagation.ts"
import * as ScriptCalls from "./ScriptCalls.ts"
import { Timing } from "./Timing.ts"

/** The answer of a command that takes time: run by the connection's fiber, interrupted when the connection ends. */
export interface Suspended extends Unanswered {
  /**
   * Whether it waits for what others do (BLPOP, CLIENT PAUSE), and is dropped as soon as its client half-closes, as in Redis. What
   * only takes its time (SAVE, a slow script) is still answered then.
   */
  readonly waits: boolean
  /** Whether the request is to be dispatched anew when the wait is over, instead of being answered. */
  readonly again?: boolean
}

export interface DispatcherService {
  /** Reads the clock: called before the first of several requests that are dispatched in one go. */
  readonly tick: () => void
  /** Called after the last of them. */
  readonly tock: () => void
  /** Runs one request of a client. */
  readonly dispatch: (client: Client, argv: ReadonlyArray<string>) => Reply.Reply | Suspended
  readonly blockedClients: () => number
  /** Runs a request of the log that is loaded: no gate refuses it. */
  readonly replay: (client: Client, argv: ReadonlyArray<string>) => Reply.Reply
  /**
   * Runs requests of this server's master as one unit: no gate refuses them, and what is past its deadline stays until the master says that
   * it goes. To be called between `tick` and `tock`. Gives the reasons of those that failed.
   */
  readonly apply: (client: Client, requests: ReadonlyArray<ReadonlyArray<string>>) => ReadonlyArray<string>
  /** Ends the waits of clients, and their connections: this server has become a replica, where nobody feeds them. */
  readonly dropBlocked: () => void
}

export class Dispatcher extends Context.Tag("tiny-redis/Dispatcher")<Dispatcher, DispatcherService>() {
  static readonly layer = Layer.scoped(
    this,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const acl = yield* Acl
  const chance = yield* Chance
  const clients = yield* Clients
  const clock = yield* Clock
  const config = yield* Config
  const memory = yield* Memory
  const observers = yield* Observers
  const persistence = yield* Persistence
  const registry = yield* Registry
  const replication = yield* Replication
  const scripts = yield* ScriptEngine
  const stats = yield* Stats
  const store = yield* Store
  const watches = yield* Watches
  const log = Runtime.runFork(yield* Effect.runtime<never>())

  const args = new Args()
  const timing = new Timing(clock, config, observers, args)
  const gate = Gates.make({ acl, config, memory, persistence, replication, scripts, store })
  const blocking = Blocking.make(store, clock, {
    onUnblocked: (client, how) => {
      // redis-server counts a wait that was ended as failed, whatever the answer; one that timed out is not. An error is counted as such.
      const entry = registry.findOwn(client.lastCommand)!
      if (how === "timeout") entry.failed++
      // It has let go of the request by then.
      timing.record(client, entry, noWords, client.parked!.micros, "served")
    },
    // The expiry fiber removes keys outside of any command: those who wait for them are told at once.
    onGone: () => {
      if (depth === 0) blocking.serve(runUnit)
    },
  })
  /** Commands running now, one inside the other: EXEC and scripts call others. */
  let depth = 0
  const propagation = Propagation.make(store.events, persistence, replication, () => depth > 0 || store.unfinished)
  /** Where changes go: not everywhere while a script asked for that. */
  let targets = Propagation.everywhere
  /** What the running command wants logged in place of its request. */
  let replacement: ReadonlyArray<ReadonlyArray<string>> | undefined

  yield* Effect.forkScoped(blocking.run)

  class CommandContext implements Ctx {
    readonly client: Client
    readonly argv: ReadonlyArray<string>
    constructor(client: Client, argv: ReadonlyArray<string>) {
      this.client = client
      this.argv = argv
    }
    get db() {
      return this.client.db
    }
    get store() {
      return store
    }
    get now() {
      return store.now
    }
    get nowMicros() {
      return clock.nowMicros
    }
    get limits() {
      return config.current
    }
    below(bound: number) {
      return chance.below(bound)
    }
    get isLogged() {
      return propagation.active()
    }
    propagateAs(...requests: ReadonlyArray<ReadonlyArray<string>>) {
      replacement = requests
    }
    propagateAll(requests: ReadonlyArray<ReadonlyArray<string>>) {
      replacement = requests
    }
    tellReplicas(argv: ReadonlyArray<string>) {
      if ((targets & Propagation.toReplicas) !== 0 && replication.active()) {
        propagation.add(this.client.db.index, argv, Propagation.toReplicas)
      }
    }
    call(argv: ReadonlyArray<string>) {
      return call(this.client, argv)
    }
    begin(argv: ReadonlyArray<string>) {
      return begin(this.client, argv)
    }
    scriptCalls(rules: ScriptRules) {
      return scriptCalls(this.client, rules)
    }
    get nested() {
      return depth > 1
    }
    unit<A>(at: number, run: () => A): A {
      observers.running = this.client
      return continued(this.client, at, run)
    }
    wait(waiting: Waiting): Result {
      return depth > 1 ? Either.right(waiting.onTimeout) : blocking.wait(this.client, waiting)
    }
  }

  const internalError = (name: string, defect: unknown) => {
    log(Effect.logError(`command '${name}' failed with a defect`, Cause.die(defect)))
    return Either.left(InternalError.error)
  }

  const failed = (entry: Entry | undefined, error: CommandError): Reply.Reply => {
    stats.countError(error.code)
    if (entry !== undefined) entry.failed++
    return Reply.failure(error)
  }

  /** A script's error reply is counted by its code unless it was a command of the script's that failed. */
  const scriptFailed = (entry: Entry, code: string, counted: boolean) => {
    entry.failed++
    if (!counted) stats.countError(code)
  }

  const rejected = (entry: Entry | undefined, error: CommandError): Reply.Reply => {
    stats.countError(error.code)
    if (entry !== undefined) entry.rejected++
    return Reply.failure(error)
  }

  const refused = (client: Client, entry: Entry | undefined, reason: CommandError): Reply.Reply => {
    let error = reason
    if (entry?.name === "exec") {
      error = ExecAbort.of(reason)
      client.transaction = undefined
      watches.unwatch(client)
    } else if (client.transaction !== undefined) client.transaction.aborted = true
    return rejected(entry, error)
  }

  /** Logs what was changed since `dirty` as `argv`, or as what was asked for with `propagateAs`; `outer` is asked for further out. */
  const logChanges = (dirty: number, db: number, argv: ReadonlyArray<string>, outer: typeof replacement) => {
    const asked = replacement
    replacement = outer
    if (store.dirty === dirty || targets === 0 || !propagation.active()) return
    if (asked === undefined) propagation.add(db, argv, targets)
    else for (const request of asked) propagation.add(db, request, targets)
  }

  const endUnit = () => {
    // A script has paused: what it did is part of a unit that goes on.
    if (store.unfinished) return
    propagation.flush(observers.running)
    for (let i = 0; i < observers.afterUnit.length; i++) observers.afterUnit[i]!()
    const client = observers.running
    observers.running = undefined
    if (!blocking.isReady()) return
    // Its answer is made but not yet sent, and what the clients that are served now cause comes behind it.
    if (client !== undefined && client.parked === undefined) client.answerDue = true
    blocking.serve(runUnit)
  }

  const runUnit: Blocking.RunUnit = (client, run) => {
    store.at(clock.now())
    const { dirty } = store
    const outer = replacement
    const db = client.db.index
    replacement = undefined
    observers.running = client
    const startedAt = clock.nowMicros()
    depth++
    let answer: ReturnType<typeof run>
    try {
      answer = run()
    } catch (defect) {
      answer = internalError(client.lastCommand, defect)
    }
    depth--
    if (Either.isLeft(answer) || answer.right !== undefined) {
      const micros = client.parked!.micros + clock.nowMicros() - startedAt
      timing.record(client, registry.findOwn(client.lastCommand)!, client.argv, micros, "served")
    }
    logChanges(dirty, db, [], outer)
    propagation.flush(observers.running)
    for (let i = 0; i < observers.afterUnit.length; i++) observers.afterUnit[i]!()
    observers.running = undefined
    return answer
  }

  /** Runs a command that has passed the gates. */
  const execute = (client: Client, entry: Entry, argv: ReadonlyArray<string>): Reply.Reply | Suspended => {
    if (depth === 0) observers.running = client
    store.touching = !client.noTouch
    timing.begin(entry)
    const startedAt = timing.last
    for (let i = 0; i < observers.before.length; i++) observers.before[i]!(client, entry, argv)
    const { dirty } = store
    const { errorReplies } = stats
    const outer = replacement
    const db = client.db.index
    replacement = undefined
    depth++
    let result: Result
    try {
      result = entry.execute(args.reset(argv, entry.firstArgument), new CommandContext(client, argv))
    } catch (defect) {
      result = internalError(entry.name, defect)
    }
    depth--
    logChanges(dirty, db, argv, outer)
    entry.calls++
    stats.commandsProcessed++
    const known = isKnown(entry, result) ? result : undefined
    if (known === undefined) timing.last = clock.nowMicros()
    else if (depth === 0) timing.ended(client, entry, argv, known)
    else timing.measure(client, entry, argv)
    // A command that waits is shown when it begins to.
    for (let i = 0; i < observers.after.length; i++) observers.after[i]!(client, entry, argv)
    if (known === undefined) {
      const micros = timing.last - startedAt
      const { parked } = client
      if (parked !== undefined) parked.micros = micros
      const answered = Effect.match(
        Effect.catchAllDefect(result, (defect) => internalError(entry.name, defect)),
        {
          onFailure: (error) => failed(entry, error),
          onSuccess: (reply) => reply,
        },
      )
      const timed = Effect.tap(answered, () =>
        Effect.sync(() => timing.record(client, entry, argv, clock.nowMicros() - startedAt, "ran")),
      )
      return { _tag: "Suspended", waits: parked !== undefined, effect: parked === undefined ? timed : answered }
    }
    if (Either.isLeft(known)) return failed(entry, known.left)
    if (known.right._tag === "Failure") scriptFailed(entry, known.right.code, stats.errorReplies > errorReplies)
    return known.right
  }

  /** Finds the command of a request; a subcommand when its first word names a container. */
  const resolve = (argv: ReadonlyArray<string>): Entry | CommandError => {
    const entry = registry.find(argv[0]!)
    return entry === undefined ? UnknownCommand.of(argv) : subcommand(entry, argv)
  }
  const subcommand = (entry: Entry, argv: ReadonlyArray<string>): Entry | CommandError => {
    if (entry.subcommands.size === 0 || argv.length < 2) return entry
    const word = argv[1]!
    return (
      entry.subcommands.get(word) ??
      entry.subcommands.get(word.toLowerCase()) ??
      UnknownCommand.ofSubcommand(argv[0]!, word)
    )
  }
  /** What a log or a master says may have a command's own name where requests have another one. */
  const resolveLogged = (argv: ReadonlyArray<string>): Entry | CommandError => {
    const entry = registry.find(argv[0]!) ?? registry.findOwn(argv[0]!.toLowerCase())
    return entry === undefined ? UnknownCommand.of(argv) : subcommand(entry, argv)
  }
  const isError = (found: Entry | CommandError): found is CommandError => !(found instanceof Entry)
  const pausing = Pausing.make(clients, resolve)

  const tick = () => {
    timing.tick()
    store.at(clock.now())
  }

  const dispatch = (client: Client, argv: ReadonlyArray<string>): Reply.Reply | Suspended => {
    if (timing.isOver) tick()
    client.lastActiveAtMs = store.now
    const entry = resolve(argv)
    if (isError(entry)) return isWebRequest(argv) ? cutOff(client) : refused(client, undefined, entry)
    client.lastCommand = entry.name
    const error = gate(client, entry, argv)
    if (error !== undefined) return refused(client, entry, error)
    const wait = pausing.wait(client, entry, argv, store.now)
    if (wait !== undefined) return wait
    if (client.transaction !== undefined && !runsInMulti.has(entry.name)) {
      // What will not run is not kept.
      if (client.transaction.aborted || client.watchedChanged) return Reply.queued
      client.transaction.queue.push(argv)
      client.transaction.mask |= Gates.queuedMask(entry, argv)
      client.transaction.common &= entry.mask
      return Reply.queued
    }
    const reply = execute(client, entry, argv)
    endUnit()
    return reply
  }

  let cutOffToldAt = Number.NEGATIVE_INFINITY
  /** Ends a connection at once: what it sent before is not answered either. Told once a minute, since it may come in numbers. */
  const cutOff = (client: Client): Reply.Reply => {
    client.outbox.close("now")
    if (store.now - cutOffToldAt >= 60_000) {
      cutOffToldAt = store.now
      log(Effect.logWarning(`${client.address} speaks HTTP, maybe a browser that a web page misuses: cut off`))
    }
    return Reply.none
  }

  /** Runs a command inside of another one, where it cannot wait for others. */
  const begin = (client: Client, argv: ReadonlyArray<string>): Reply.Reply | Suspended => {
    const entry = resolve(argv)
    return isError(entry) ? failed(undefined, entry) : execute(client, entry, argv)
  }

  const call = (client: Client, argv: ReadonlyArray<string>): Reply.Reply => {
    const reply = begin(client, argv)
    if (reply._tag !== "Suspended") return reply
    throw new Error(`${argv[0]} takes its time, which it cannot inside of another command`)
  }

  const scriptCalls = ScriptCalls.make({
    acl,
    resolve,
    execute: (client, entry, argv, to, keys) => {
      const outer = targets
      targets = to
      observers.scriptKeys = keys
      // The script's own time is not the command's.
      timing.last = clock.nowMicros()
      try {
        const reply = execute(client, entry, argv)
        return reply._tag === "Suspended" ? failed(entry, ScriptRefused.notFromScript) : reply
      } finally {
        targets = outer
        observers.scriptKeys = undefined
      }
    },
    refused: rejected,
    allowsAny: () => scripts.allowsAny,
    // What a log or a master says has been allowed before; a server before Redis 7 says scripts as they came.
    isReadOnly: () => store.isReplica && store.expire && config.current.replicaReadOnly,
    isStale: () => store.isReplica && store.expire && Gates.isStale(replication, config.current),
    outOfMemory: () => config.current.maxmemory !== 0 && store.expire && !memory.reclaim(),
    writeError: () => (store.expire ? (persistence.refusal() ?? replication.refusal()) : undefined),
  })

  /** A later part of a command that waited, as `Ctx.unit` offers it: only what it asks for itself is logged of it. */
  const continued = <A>({ db }: Client, at: number, run: () => A): A => {
    store.at(at)
    const { dirty } = store
    replacement = noRequests
    depth++
    try {
      return run()
    } finally {
      depth--
      logChanges(dirty, db.index, noWords, undefined)
      endUnit()
    }
  }

  let replayed = 0
  const replay = (client: Client, argv: ReadonlyArray<string>): Reply.Reply => {
    if (replayed++ % replayedAtOnce === 0) tick()
    const entry = resolveLogged(argv)
    if (isError(entry)) return failed(undefined, entry)
    store.touching = true
    const outer = replacement
    // As within EXEC, so that nothing waits.
    depth += 2
    let result: Result
    try {
      result = entry.execute(args.reset(argv, entry.firstArgument), new CommandContext(client, argv))
    } catch (defect) {
      result = internalError(entry.name, defect)
    }
    depth -= 2
    replacement = outer
    const reply = !isKnown(entry, result)
      ? Reply.failure(UnknownCommand.of(argv))
      : Either.isLeft(result)
        ? failed(undefined, result.left)
        : result.right
    // A snapshot asks for the function libraries in the middle of BGSAVE, which may be part of a unit.
    if (depth === 0) endUnit()
    return reply
  }

  const apply: DispatcherService["apply"] = (client, requests) => {
    let reasons: Array<string> | undefined
    const { expire } = store
    store.expire = false
    observers.running = client
    // As within EXEC, so that nothing waits.
    depth++
    try {
      for (const argv of requests) {
        const entry = resolveLogged(argv)
        let reply: Reply.Reply | Suspended
        if (isError(entry)) reply = failed(undefined, entry)
        else {
          client.lastCommand = entry.name
          reply = execute(client, entry, argv)
        }
        if (reply._tag !== "Failure" && reply._tag !== "Suspended") continue
        const reason = reply._tag === "Failure" ? `${reply.code} ${reply.message}` : "it waits"
        ;(reasons ??= []).push(`${JSON.stringify(toUtf8(argv[0]!))} failed: ${reason}`)
      }
    } finally {
      depth--
      store.expire = expire
    }
    client.lastActiveAtMs = store.now
    endUnit()
    return reasons ?? noWords
  }

  return {
    tick,
    tock: () => timing.settle(),
    dispatch,
    replay,
    apply,
    dropBlocked: () => {
      for (const client of clients.byId.values()) client.parked?.unblock("demoted")
    },
    blockedClients: blocking.count,
  } satisfies DispatcherService
})

/** Only a command that says so answers later; asking the answer itself costs 14 ns. */
const isKnown = (entry: Entry, result: Result): result is Either.Either<Reply.Reply, CommandError> =>
  !entry.suspending || Either.isEither(result)

const noRequests: ReadonlyArray<ReadonlyArray<string>> = []

/** Commands of a log that see one instant. */
const replayedAtOnce = 64

/**
 * The first words of lines that only HTTP has. A web page can have its reader's browser send such requests to this machine, with
 * commands in their body: none of them must run.
 */
const webWords = new Set(["post", "host:"])
const isWebRequest = (argv: ReadonlyArray<string>): boolean => webWords.has(argv[0]!.toLowerCase())

/** Run at once, and not queued, between MULTI and EXEC. */
const runsInMulti = new Set(["exec", "discard", "multi", "watch", "quit", "reset"])
