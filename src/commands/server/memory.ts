/**
 * MEMORY: what keys and the server take, by the rules of store/Memory.ts.
 *
 * Differs: figures are V8's and this server's own; MEMORY DOCTOR and MALLOC-STATS speak of V8's heap in their own words.
 */
import { getHeapSpaceStatistics } from "node:v8"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import { Clients } from "../../command/Clients.ts"
import * as Command from "../../command/Command.ts"
import { help } from "../../command/Help.ts"
import * as Key from "../../command/Key.ts"
import { SyntaxError } from "../../errors/CommandError.ts"
import { logBufferBytes, Persistence } from "../../persistence/Persistence.ts"
import { Replication } from "../../replication/Replication.ts"
import { ScriptEngine } from "../../scripting/ScriptEngine.ts"
import { collectAll } from "../../store/bytes/Outside.ts"
import * as Pages from "../../store/bytes/Pages.ts"
import { Memory, sizeOf } from "../../store/Memory.ts"
import { Store } from "../../store/Store.ts"

/** Elements of a collection that MEMORY USAGE looks at unless told otherwise. */
const samplesDefault = 5

/** MEMORY with its subcommands. */
export const memoryCommands = Effect.gen(function* () {
  const clients = yield* Clients
  const memory = yield* Memory
  const store = yield* Store
  const persistence = yield* Persistence
  const replication = yield* Replication
  const scripts = yield* ScriptEngine

  const stats = (): Reply.Reply => {
    const { used: allocated, active, resident } = memory.process()
    const replicationMemory = replication.memory()
    const replicationBytes = replicationMemory.backlog + replicationMemory.waiting
    const {
      data: dataset,
      used,
      peak,
    } = memory.usage(clients.heldBytes(), replicationBytes + logBufferBytes(persistence))
    const keys = store.databases.reduce((sum, db) => sum + db.size, 0)
    const perDatabase = store.databases
      .filter((db) => db.size > 0)
      .map((db) => [
        `db.${db.index}`,
        Reply.record({
          "overhead.hashtable.main": Reply.int(db.size * 20),
          "overhead.hashtable.expires": Reply.int(db.volatileSize * 80),
        }),
      ])
    return Reply.record({
      "peak.allocated": Reply.int(peak),
      "total.allocated": Reply.int(used),
      "startup.allocated": Reply.zero,
      "replication.backlog": Reply.int(replicationMemory.backlog),
      "clients.slaves": Reply.int(replicationMemory.clients),
      "clients.normal": Reply.int(clients.memoryBytes() - replicationMemory.clients),
      "cluster.links": Reply.zero,
      "aof.buffer": Reply.int(logBufferBytes(persistence)),
      "lua.caches": Reply.int(scripts.scriptBytes()),
      "functions.caches": Reply.int(scripts.installed.bytes),
      ...Object.fromEntries(perDatabase),
      "overhead.total": Reply.int(Math.max(0, used - dataset)),
      "keys.count": Reply.int(keys),
      "keys.bytes-per-key": Reply.int(keys === 0 ? 0 : Math.round(dataset / keys)),
      "dataset.bytes": Reply.int(dataset),
      "dataset.percentage": Reply.double((dataset / Math.max(1, used)) * 100),
      "peak.percentage": Reply.double((used / Math.max(1, peak)) * 100),
      "allocator.allocated": Reply.int(allocated),
      "allocator.active": Reply.int(active),
      "allocator.resident": Reply.int(resident),
      "allocator-fragmentation.ratio": Reply.double(active / allocated),
      "allocator-fragmentation.bytes": Reply.int(active - allocated),
      "allocator-rss.ratio": Reply.double(resident / active),
      "allocator-rss.bytes": Reply.int(resident - active),
      "rss-overhead.ratio": Reply.double(1),
      "rss-overhead.bytes": Reply.zero,
      fragmentation: Reply.double(resident / allocated),
      "fragmentation.bytes": Reply.int(resident - allocated),
    })
  }

  const report = (): string => {
    const { heapUsed, heapTotal, rss } = process.memoryUsage()
    if (heapUsed < 64 * 1024 * 1024) return "There is hardly any data: nothing to report.\n"
    const garbage =
      heapTotal / heapUsed > 1.5 ? "A third or more of the heap is free or garbage; MEMORY PURGE gives it back.\n" : ""
    const outside =
      rss > 2 * heapTotal ? "More memory is held outside of the heap than in it: look at client output buffers.\n" : ""
    return garbage + outside === "" ? "Nothing conspicuous.\n" : garbage + outside
  }

  const memoryUsage = Command.make({
    name: "memory|usage",
    summary: "Estimate the memory usage of a key",
    since: "4.0.0",
    group: "server",
    complexity: "O(N) where N is the number of samples.",
    arity: -3,
    flags: "readonly",
    keys: [Key.at(2, "RO")],
    args: [Arg.key("key"), Arg.integer("count", { token: "SAMPLES", optional: true })],
    parse: (args) => {
      const key = args.key()
      let samples = samplesDefault
      while (args.more) {
        if (!args.optionWith("SAMPLES", 1)) args.fail(SyntaxError.error)
        samples = args.intIn(0, Number.MAX_SAFE_INTEGER, SyntaxError.error)
      }
      return { key, samples }
    },
    run: ({ key, samples }, { db }) => {
      const value = db.peek(key)
      return Either.right(
        value === undefined ? Reply.nil : Reply.int(Math.round(sizeOf(db.keyspace, key, value, samples))),
      )
    },
  })

  const memoryStats = Command.make({
    name: "memory|stats",
    summary: "Show memory usage details",
    since: "4.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: "",
    tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    parse: () => undefined,
    run: () => Either.right(stats()),
  })

  const memoryDoctor = Command.make({
    name: "memory|doctor",
    summary: "Outputs memory problems report",
    since: "4.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: "",
    tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    parse: () => undefined,
    run: () => Either.right(Reply.verbatim("txt", report())),
  })

  const memoryMallocStats = Command.make({
    name: "memory|malloc-stats",
    summary: "Show allocator internal stats",
    since: "4.0.0",
    group: "server",
    complexity: "Depends on how much memory is allocated, could be slow",
    arity: 2,
    flags: "",
    tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    parse: () => undefined,
    run: () => {
      const spaces = getHeapSpaceStatistics().map(
        (space) => `${space.space_name}: used ${space.space_used_size}, available ${space.space_available_size}\n`,
      )
      return Either.right(Reply.verbatim("txt", spaces.join("")))
    },
  })

  const memoryPurge = Command.make({
    name: "memory|purge",
    summary: "Ask the allocator to release memory",
    since: "4.0.0",
    group: "server",
    complexity: "Depends on how much memory is allocated, could be slow",
    arity: 2,
    flags: "",
    tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
    parse: () => undefined,
    run: () => {
      for (const { keyspace } of store.databases) while (keyspace.tidy());
      while (store.dropped.step());
      while (Pages.tidy());
      collectAll()
      return Either.right(Reply.ok)
    },
  })

  const memoryHelp = help(
    "memory",
    {
      summary: "Show helpful text about the different subcommands",
      since: "4.0.0",
      group: "server",
      complexity: "O(1)",
      flags: "loading stale",
    },
    [
      "DOCTOR",
      "    Return memory problems reports.",
      "MALLOC-STATS",
      "    Return internal statistics report from the memory allocator.",
      "PURGE",
      "    Attempt to purge dirty pages for reclamation by the allocator.",
      "STATS",
      "    Return information about the memory usage of the server.",
      "USAGE <key> [SAMPLES <count>]",
      "    Return memory in bytes used by <key> and its value. Nested values are",
      "    sampled up to <count> times (default: 5, 0 means sample all).",
    ],
  )

  const memoryCommand = Command.container({
    name: "memory",
    summary: "A container for memory diagnostics commands",
    since: "4.0.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: "",
    subcommands: [memoryUsage, memoryStats, memoryDoctor, memoryMallocStats, memoryPurge, memoryHelp],
  })

  return [memoryCommand]
})
