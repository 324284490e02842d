/**
 * How long commands take, as INFO commandstats, LATENCY and SLOWLOG tell it.
 *
 * The idea to hold: a reading of the clock costs 40 ns, a tenth of what a short command does. The end of one command is the beginning of
 * the next, so a command costs one reading; and brief ones of the same name that a client sends one behind the other are measured
 * together, up to eight, and each counts as their average. Sixteen at a time an RPUSH cost 0.83 us of CPU and costs 0.76, an INCR 8 % less.
 * The invariant: what is measured together ends before a command of another name begins, and with the requests of its client.
 *
 * Differs: redis-server measures each command. Here the commands measured together count as equally long in the distribution of times,
 * and a pause that meets one of them is put down to the last. Commands that can take long by themselves are measured alone, as all are
 * where times below a millisecond go to the slow log.
 */
import * as Either from "effect/Either"
import type { ClockService } from "../clock/Clock.ts"
import type { Reply } from "../codec/Reply.ts"
import type { Args } from "../command/Args.ts"
import type { Client } from "../command/Client.ts"
import { Histogram } from "../command/Histogram.ts"
import type { ObserversService } from "../command/Observers.ts"
import type { Entry } from "../command/Registry.ts"
import type { ConfigService } from "../config/Config.ts"

/** Commands measured together, at most. */
const togetherMax = 8
/** More arguments than these make any command long. */
const briefWordsMax = 8
/** Where the slow log asks for shorter times, each command is measured. */
const slowMicrosMin = 1000
/** Requests dispatched in one go see one instant for at most so long. */
const instantMicrosMax = 1000

/** An array of more can take long to make. */
const briefElementsMax = 2

/** What is longer can take long to make: LPOP with a count. A ZPOPMIN is brief: in pipelines of 16 its CPU time is 6 % less so. */
const isBriefReply = (reply: Reply): boolean => {
  switch (reply._tag) {
    case "Int":
    case "Simple":
    case "Bulk":
    case "Nil":
      return true
    case "Array":
      return (reply.count ?? reply.values.length) <= briefElementsMax
    case "Bulks":
      return reply.count <= briefElementsMax
    default:
      return false
  }
}

export class Timing {
  /**
   * Readings of the clock, in microseconds: the last one, and that of the instant which commands see. In an object, V8 changes a number in
   * place; a variable of many functions that is no small integer gets a new place on the heap each time.
   */
  last: number
  private ticked: number
  /** Commands that have run since `last` was read, all of `client` and of the name of `entry`. */
  private count = 0
  private entry: Entry | undefined
  private client: Client | undefined
  private readonly clock: ClockService
  private readonly config: ConfigService
  private readonly observers: ObserversService
  /** Has the arguments of the command that ran last. */
  private readonly args: Args

  constructor(clock: ClockService, config: ConfigService, observers: ObserversService, args: Args) {
    this.clock = clock
    this.config = config
    this.observers = observers
    this.args = args
    this.last = this.ticked = clock.nowMicros()
  }

  /** The instant that commands see is now. */
  tick(): void {
    if (this.count > 0) this.settle()
    this.last = this.ticked = this.clock.nowMicros()
  }

  /** Whether the instant is too long ago. */
  get isOver(): boolean {
    return this.last - this.ticked > instantMicrosMax
  }

  /** A command begins. */
  begin(entry: Entry): void {
    if (this.count > 0 && entry !== this.entry) this.settle()
  }

  /** The time of the commands that still have none is known. */
  settle(): void {
    if (this.count > 0) this.measure(this.client!, this.entry!, this.args.argv, this.count)
  }

  /** A command has run, that was not called by another one. */
  ended(client: Client, entry: Entry, argv: ReadonlyArray<string>, result: Either.Either<Reply, unknown>): void {
    const count = this.count + 1
    if (count < togetherMax && this.isBrief(entry, argv, result)) {
      this.count = count
      this.entry = entry
      this.client = client
    } else this.measure(client, entry, argv, count)
  }

  /** The last `count` commands were of `entry`, and have ended. */
  measure(client: Client, entry: Entry, argv: ReadonlyArray<string>, count = 1): void {
    this.count = 0
    const { last } = this
    this.last = this.clock.nowMicros()
    this.record(client, entry, argv, this.last - last, "ran", count)
  }

  /** It is known how long a command took: when it has run, or been served after a wait for keys, or taken its time. */
  record(
    client: Client,
    entry: Entry,
    argv: ReadonlyArray<string>,
    micros: number,
    how: "ran" | "served",
    count = 1,
  ): void {
    entry.micros += micros
    const { current } = this.config
    if (current.latencyTracking) (entry.histogram ??= new Histogram()).record(micros / count, count)
    // Hardly any is so long that somebody wants to hear of it: asking here, and not each of them, saves 15 ns.
    const { slowlogLogSlowerThan, latencyMonitorThreshold } = current
    const isSlow = micros >= slowlogLogSlowerThan && slowlogLogSlowerThan >= 0
    if (!isSlow && (latencyMonitorThreshold === 0 || micros < latencyMonitorThreshold * 1000)) return
    const { measured } = this.observers
    for (let i = 0; i < measured.length; i++) measured[i]!(client, entry, argv, micros, how)
  }

  private isBrief(entry: Entry, argv: ReadonlyArray<string>, result: Either.Either<Reply, unknown>): boolean {
    if (!entry.isBrief || argv.length > briefWordsMax) return false
    const { slowlogLogSlowerThan } = this.config.current
    if (slowlogLogSlowerThan >= 0 && slowlogLogSlowerThan < slowMicrosMin) return false
    return Either.isLeft(result) || isBriefReply(result.right)
  }
}
