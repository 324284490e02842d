/**
 * LATENCY: spikes above `latency-monitor-threshold`, by event, and the distribution of every command's time.
 *
 * Differs: LATENCY DOCTOR reports the same figures as Redis in words of its own.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { upToNul } from "../../bytes/Bytes.ts"
import { Clock } from "../../clock/Clock.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import { help } from "../../command/Help.ts"
import { Observers } from "../../command/Observers.ts"
import { type Entry, Registry } from "../../command/Registry.ts"
import { Config } from "../../config/Config.ts"
import { InvalidArgument } from "../../errors/CommandError.ts"
import { listen } from "../../store/Events.ts"
import { Store } from "../../store/Store.ts"
import { sparkline } from "./Sparkline.ts"

interface Sample {
  readonly atSeconds: number
  readonly ms: number
}

interface Spikes {
  readonly samples: Array<Sample>
  max: number
}

/** Samples kept of each event, one a second at most. */
const samplesMax = 160

/** LATENCY with its subcommands. */
export const latencyCommands = Effect.gen(function* () {
  const clock = yield* Clock
  const { current } = yield* Config
  const observers = yield* Observers
  const registry = yield* Registry
  const store = yield* Store
  const events = new Map<string, Spikes>()

  const add = (event: string, ms: number) => {
    let spikes = events.get(event)
    if (spikes === undefined) events.set(event, (spikes = { samples: [], max: 0 }))
    spikes.max = Math.max(spikes.max, ms)
    const atSeconds = Math.floor(clock.now() / 1000)
    const last = spikes.samples.at(-1)
    if (last?.atSeconds === atSeconds)
      spikes.samples[spikes.samples.length - 1] = { atSeconds, ms: Math.max(last.ms, ms) }
    else spikes.samples.push({ atSeconds, ms })
    if (spikes.samples.length > samplesMax) spikes.samples.shift()
  }
  observers.measured.push((_, { mask }, __, micros, how) => {
    const threshold = current.latencyMonitorThreshold
    if (threshold === 0 || micros < threshold * 1000) return
    const event = how === "served" ? "command-unblocking" : mask & Command.Flag.fast ? "fast-command" : "command"
    add(event, Math.floor(micros / 1000))
  })

  listen(store.events.swept, (micros) => {
    const threshold = current.latencyMonitorThreshold
    if (threshold > 0 && micros >= threshold * 1000) add("expire-cycle", Math.floor(micros / 1000))
  })

  const histogram = ({ command, histogram }: Entry): ReadonlyArray<Reply.Reply> =>
    histogram === undefined
      ? []
      : [
          Reply.bulk(command.name),
          Reply.record({
            calls: Reply.int(histogram.total),
            histogram_usec: Reply.map(histogram.cumulative().flatMap((pair) => pair.map(Reply.int))),
          }),
        ]

  const report = (): string => {
    if (current.latencyMonitorThreshold === 0) {
      return "Latency monitoring is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n"
    }
    if (events.size === 0) return "No latency spike was observed.\n"
    return [...events]
      .map(([event, { samples, max }], i) => {
        const average = samples.reduce((sum, { ms }) => sum + ms, 0) / samples.length
        const deviation = samples.reduce((sum, { ms }) => sum + Math.abs(ms - average), 0) / samples.length
        return `${i + 1}. ${event}: ${samples.length} latency spikes (average ${Math.round(average)}ms, mean deviation ${Math.round(deviation)}ms). Worst all time event ${max}ms.\n`
      })
      .join("")
  }

  const latencyLatest = Command.make({
    name: "latency|latest",
    summary: "Return the latest latency samples for all events.",
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: "admin noscript loading stale",
    tips: ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    parse: () => undefined,
    run: () =>
      Either.right(
        Reply.array(
          [...events].map(([event, { samples, max }]) => {
            const { atSeconds, ms } = samples.at(-1)!
            return Reply.array([Reply.bulk(event), Reply.int(atSeconds), Reply.int(ms), Reply.int(max)])
          }),
        ),
      ),
  })

  const latencyHistory = Command.make({
    name: "latency|history",
    summary: "Return timestamp-latency samples for the event.",
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    arity: 3,
    flags: "admin noscript loading stale",
    tips: ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    args: [Arg.string("event")],
    parse: (args) => args.next(),
    run: (event) =>
      Either.right(
        Reply.array(
          (events.get(event)?.samples ?? []).map(({ atSeconds, ms }) =>
            Reply.array([Reply.int(atSeconds), Reply.int(ms)]),
          ),
        ),
      ),
  })

  const latencyReset = Command.make({
    name: "latency|reset",
    summary: "Reset latency data for one or more events.",
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    arity: -2,
    flags: "admin noscript loading stale",
    tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
    args: [Arg.string("event", { optional: true, multiple: true })],
    parse: (args) => args.rest(),
    run: (names) => {
      const reset = (names.length === 0 ? [...events.keys()] : names).filter((name) => events.delete(name))
      return Either.right(Reply.int(reset.length))
    },
  })

  const latencyGraph = Command.make({
    name: "latency|graph",
    summary: "Return a latency graph for the event.",
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    arity: 3,
    flags: "admin noscript loading stale",
    tips: ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    args: [Arg.string("event")],
    parse: (args) => args.next(),
    run: (event) => {
      const spikes = events.get(event)
      if (spikes === undefined)
        return Either.left(new InvalidArgument(`No samples available for event '${upToNul(event)}'`))
      return Either.right(
        Reply.verbatim("txt", sparkline(event, spikes.samples, spikes.max, Math.floor(clock.now() / 1000))),
      )
    },
  })

  const latencyDoctor = Command.make({
    name: "latency|doctor",
    summary: "Return a human readable latency analysis report.",
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: "admin noscript loading stale",
    tips: ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    parse: () => undefined,
    run: () => Either.right(Reply.verbatim("txt", report())),
  })

  const latencyHistogram = Command.make({
    name: "latency|histogram",
    summary: "Return the cumulative distribution of latencies of a subset of commands or all.",
    since: "7.0.0",
    group: "server",
    complexity: "O(N) where N is the number of commands with latency information being retrieved.",
    arity: -2,
    flags: "admin noscript loading stale",
    tips: ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    args: [Arg.string("command", { optional: true, multiple: true })],
    parse: (args) => args.rest(),
    run: (names) => {
      const all = (entry: Entry): ReadonlyArray<Entry> => [entry, ...entry.subcommands.values()]
      const asked = names.flatMap((name) => registry.findFull(name.toLowerCase()) ?? [])
      const entries = (names.length === 0 ? registry.entries : asked).flatMap(all)
      return Either.right(Reply.map(entries.flatMap(histogram)))
    },
  })

  const latencyHelp = help(
    "latency",
    {
      summary: "Show helpful text about the different subcommands.",
      since: "2.8.13",
      group: "server",
      complexity: "O(1)",
      flags: "loading stale",
    },
    [
      "DOCTOR",
      "    Return a human readable latency analysis report.",
      "GRAPH <event>",
      "    Return an ASCII latency graph for the <event> class.",
      "HISTORY <event>",
      "    Return time-latency samples for the <event> class.",
      "LATEST",
      "    Return the latest latency samples for all events.",
      "RESET [<event> ...]",
      "    Reset latency data of one or more <event> classes.",
      "    (default: reset all data for all event classes)",
      "HISTOGRAM [COMMAND ...]",
      "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
      "    If no commands are specified then all histograms are replied.",
    ],
  )

  const latency = Command.container({
    name: "latency",
    summary: "A container for latency diagnostics commands",
    since: "2.8.13",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: "",
    subcommands: [
      latencyLatest,
      latencyHistory,
      latencyReset,
      latencyGraph,
      latencyDoctor,
      latencyHistogram,
      latencyHelp,
    ],
  })

  return [latency]
})
