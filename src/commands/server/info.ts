/**
 * INFO: what the server knows of itself, section by section. Every figure is read from where it is counted; fields of things
 * this server does not have (forks, an allocator, replicas) have the value they would have in a redis-server without them.
 */
import { readFileSync } from "node:fs"
import { machine, release, totalmem } from "node:os"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { fromUtf8 } from "../../bytes/Bytes.ts"
import { Clock } from "../../clock/Clock.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import { Clients } from "../../command/Clients.ts"
import * as Command from "../../command/Command.ts"
import { type Entry, Registry } from "../../command/Registry.ts"
import { Stats } from "../../command/Stats.ts"
import { Watches } from "../../command/Watches.ts"
import { Config } from "../../config/Config.ts"
import { redisVersion, serverName } from "../../config/Version.ts"
import { logBufferBytes, Persistence } from "../../persistence/Persistence.ts"
import { Replication } from "../../replication/Replication.ts"
import { PubSub } from "../../pubsub/PubSub.ts"
import { Tracking } from "../../pubsub/Tracking.ts"
import { ScriptEngine } from "../../scripting/ScriptEngine.ts"
import { lruStamp } from "../../store/Access.ts"
import type { Database } from "../../store/Database.ts"
import { Memory } from "../../store/Memory.ts"
import { Targets } from "../migrate/Targets.ts"
import { Store } from "../../store/Store.ts"

type Fields = ReadonlyArray<readonly [name: string, value: string | number]>

/** Bytes as Redis shows them to people: 1.50M. */
export const human = (bytes: number): string => {
  const units = ["B", "K", "M", "G", "T", "P"]
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 ? `${value}B` : `${value.toFixed(2)}${units[unit]}`
}

/** Node has it from 23.9 on. */
const { threadCpuUsage } = process as { readonly threadCpuUsage?: () => NodeJS.CpuUsage }

/** Microseconds of a tick in which Linux counts a thread's time. */
const tickMicros = 10_000

/** What this thread alone has used, in microseconds: from Node, or from Linux; absent where neither tells. */
const mainThreadUsage = (): NodeJS.CpuUsage | undefined => {
  if (threadCpuUsage !== undefined) return threadCpuUsage.call(process)
  try {
    const text = readFileSync(`/proc/self/task/${process.pid}/stat`, "latin1")
    // After the name, which may have spaces in it.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
    return { user: Number(fields[11]) * tickMicros, system: Number(fields[12]) * tickMicros }
  } catch {
    return undefined
  }
}

/** Keys looked at for `avg_ttl`. */
const ttlSamples = 20

const percent = (part: number, whole: number): string => `${((part / Math.max(1, whole)) * 100).toFixed(2)}%`

/** What INFO shows without an argument; `all` adds the sections after it. */
const defaultSections = [
  ...[
    "server",
    "clients",
    "memory",
    "persistence",
    "stats",
    "replication",
    "cpu",
    "modules",
    "errorstats",
    "cluster",
    "keyspace",
  ],
]
const furtherSections = ["commandstats", "latencystats"]

export const infoCommands = Effect.gen(function* () {
  const clients = yield* Clients
  const clock = yield* Clock
  const config = yield* Config
  const persistence = yield* Persistence
  const pubsub = yield* PubSub
  const registry = yield* Registry
  const replication = yield* Replication
  const stats = yield* Stats
  const store = yield* Store
  const targets = yield* Targets
  const tracking = yield* Tracking
  const memory = yield* Memory
  const scripts = yield* ScriptEngine
  const watches = yield* Watches

  const server = (): Fields => {
    const uptime = Math.floor((clock.now() - stats.startedAtMs) / 1000)
    const { leftAtMs } = replication.replicas
    return [
      ["redis_version", redisVersion],
      ["server_name", serverName],
      ["redis_git_sha1", "00000000"],
      ["redis_git_dirty", 0],
      ["redis_build_id", "0"],
      ["redis_mode", "standalone"],
      ["os", `${process.platform === "linux" ? "Linux" : process.platform} ${release()} ${machine()}`],
      ["arch_bits", 64],
      ["monotonic_clock", "process.hrtime"],
      ["multiplexing_api", "libuv"],
      ["node_version", process.versions.node],
      ["process_id", process.pid],
      ["process_supervised", "no"],
      ["run_id", stats.runId],
      ["tcp_port", stats.tcpPort],
      ["server_time_usec", Math.floor(clock.nowMicros())],
      ["uptime_in_seconds", uptime],
      ["uptime_in_days", Math.floor(uptime / 86400)],
      ["lru_clock", lruStamp(clock.now())],
      ["executable", fromUtf8(process.argv[1] ?? "")],
      ["config_file", fromUtf8(config.file ?? "")],
      ["io_threads_active", 0],
      ...(leftAtMs === undefined ? [] : [["shutdown_in_milliseconds", leftAtMs - clock.now()] as const]),
    ]
  }

  const clientFields = (): Fields => {
    const all = [...clients.byId.values()]
    const buffers = all.map((client) => client.buffers(false))
    return [
      ["connected_clients", all.length - replication.replicas.all.length],
      ["cluster_connections", 0],
      ["maxclients", config.current.maxclients],
      [
        "client_recent_max_input_buffer",
        buffers.reduce((most, { input, inputFree }) => Math.max(most, input + inputFree), 0),
      ],
      [
        "client_recent_max_output_buffer",
        buffers.reduce((most, { queued, unsentPeak }) => Math.max(most, queued, unsentPeak), 0),
      ],
      ["blocked_clients", all.filter((client) => client.blocked).length],
      ["tracking_clients", all.filter((client) => client.tracking !== undefined).length],
      ["pubsub_clients", all.filter((client) => client.isSubscriber).length],
      ["watching_clients", all.filter((client) => client.watched.length > 0).length],
      ["clients_in_timeout_table", all.filter((client) => client.parked?.timed === true).length],
      ["total_watched_keys", watches.count()],
    ]
  }

  const memoryFields = (): Fields => {
    const { used: allocated, active: total, resident: rss, footprint } = memory.process()
    const { libraries, functions, bytes: functionBytes } = scripts.installed
    const [scriptBytes, interpreters] = [scripts.scriptBytes(), scripts.memoryBytes()]
    const interpreterBytes = interpreters.scripts + interpreters.functions
    const replicationMemory = replication.memory()
    const replicationBytes = replicationMemory.backlog + replicationMemory.waiting
    const notCounted = replicationBytes + logBufferBytes(persistence)
    const { data: dataset, used, peak } = memory.usage(clients.heldBytes(), notCounted)
    const { maxmemory, maxmemoryPolicy } = config.current
    return [
      ["used_memory", used],
      ["used_memory_human", human(used)],
      ["used_memory_rss", rss],
      ["used_memory_rss_human", human(rss)],
      ["used_memory_peak", peak],
      ["used_memory_peak_human", human(peak)],
      ["used_memory_peak_perc", percent(used, peak)],
      ["used_memory_overhead", used - dataset],
      // Differs: neither the program itself nor idle connections are part of it.
      ["used_memory_startup", 0],
      ["used_memory_dataset", dataset],
      ["used_memory_dataset_perc", percent(dataset, used)],
      ["allocator_allocated", allocated],
      ["allocator_active", total],
      ["allocator_resident", rss],
      ["total_system_memory", totalmem()],
      ["total_system_memory_human", human(totalmem())],
      ["used_memory_lua", interpreters.scripts],
      ["used_memory_vm_eval", interpreters.scripts],
      ["used_memory_lua_human", human(interpreters.scripts)],
      ["used_memory_scripts_eval", scriptBytes],
      ["number_of_cached_scripts", scripts.scriptCount()],
      ["number_of_functions", functions],
      ["number_of_libraries", libraries],
      ["used_memory_vm_functions", interpreters.functions],
      ["used_memory_vm_total", interpreterBytes],
      ["used_memory_vm_total_human", human(interpreterBytes)],
      ["used_memory_functions", functionBytes],
      ["used_memory_scripts", scriptBytes + functionBytes],
      ["used_memory_scripts_human", human(scriptBytes + functionBytes)],
      ["maxmemory", maxmemory],
      ["maxmemory_human", human(maxmemory)],
      ["maxmemory_policy", maxmemoryPolicy],
      ["allocator_frag_ratio", (total / allocated).toFixed(2)],
      ["allocator_frag_bytes", total - allocated],
      ["allocator_rss_ratio", (rss / total).toFixed(2)],
      ["allocator_rss_bytes", rss - total],
      ["rss_overhead_ratio", "1.00"],
      ["rss_overhead_bytes", 0],
      // Differs: of what the whole process has allocated, since a small dataset is nothing beside the program.
      ["mem_fragmentation_ratio", (rss / allocated).toFixed(2)],
      ["mem_fragmentation_bytes", rss - allocated],
      ["mem_not_counted_for_evict", notCounted],
      ["mem_replication_backlog", replicationMemory.backlog],
      ["mem_total_replication_buffers", replicationBytes],
      ["mem_clients_slaves", replicationMemory.clients],
      ["mem_clients_normal", clients.memoryBytes() - replicationMemory.clients],
      ["mem_cluster_links", 0],
      ["mem_aof_buffer", logBufferBytes(persistence)],
      ["mem_allocator", "v8"],
      ["active_defrag_running", 0],
      // Differs: these are the large collections that have memory of their own, whatever command removed them.
      ["lazyfree_pending_objects", store.dropped.pending],
      ["lazyfreed_objects", store.dropped.freed],
      ...(footprint === undefined
        ? []
        : ([
            ["keyspace_segments", footprint.segments],
            ["keyspace_segment_bytes", footprint.allocated],
            ["keyspace_used_bytes", footprint.used],
            ["keyspace_free_bytes", footprint.holes],
            ["keyspace_index_bytes", footprint.index],
            [
              "keyspace_fragmentation_ratio",
              ((footprint.used + footprint.holes) / Math.max(1, footprint.used)).toFixed(2),
            ],
          ] as const)),
    ]
  }

  // Rates are between two looks: what Redis samples ten times a second would cost a timer that never rests.
  let lastLook = { atMs: clock.now(), commands: 0, input: 0, output: 0 }
  const rates = () => {
    const now = clock.now()
    const seconds = Math.max(0.001, (now - lastLook.atMs) / 1000)
    const per = (value: number) => Math.max(0, value) / seconds
    const result = {
      commands: Math.round(per(stats.commandsProcessed - lastLook.commands)),
      input: (per(stats.netInputBytes - lastLook.input) / 1024).toFixed(2),
      output: (per(stats.netOutputBytes - lastLook.output) / 1024).toFixed(2),
    }
    lastLook = {
      atMs: now,
      commands: stats.commandsProcessed,
      input: stats.netInputBytes,
      output: stats.netOutputBytes,
    }
    return result
  }

  /** A snapshot that is made for replicas counts as one in the background, which it is. */
  const persistenceFields = (): Fields => {
    const fields = persistence.info()
    if (!replication.replicas.isSending) return fields
    return fields.map((field) => (field[0] === "rdb_bgsave_in_progress" ? [field[0], 1] : field))
  }

  const statsFields = (): Fields => {
    const rate = rates()
    return [
      ["total_connections_received", stats.connectionsReceived],
      ["total_commands_processed", stats.commandsProcessed],
      ["instantaneous_ops_per_sec", rate.commands],
      ["total_net_input_bytes", stats.netInputBytes],
      ["total_net_output_bytes", stats.netOutputBytes],
      ["total_net_repl_input_bytes", stats.replicationInputBytes],
      ["total_net_repl_output_bytes", replication.replicas.counts.bytes],
      ["instantaneous_input_kbps", rate.input],
      ["instantaneous_output_kbps", rate.output],
      ["instantaneous_input_repl_kbps", "0.00"],
      ["instantaneous_output_repl_kbps", "0.00"],
      ["rejected_connections", stats.connectionsRejected],
      ["sync_full", replication.replicas.counts.full],
      ["sync_partial_ok", replication.replicas.counts.partial],
      ["sync_partial_err", replication.replicas.counts.refused],
      ["expired_keys", store.counters.expired],
      ["expired_stale_perc", "0.00"],
      ["expired_time_cap_reached_count", 0],
      ["expire_cycle_cpu_milliseconds", Math.floor(store.counters.expiryMicros / 1000)],
      ["evicted_keys", store.counters.evicted],
      ["evicted_clients", stats.clientsEvicted],
      ["total_eviction_exceeded_time", 0],
      ["current_eviction_exceeded_time", 0],
      ["keyspace_hits", store.counters.hits],
      ["keyspace_misses", store.counters.misses],
      ["pubsub_channels", [...pubsub.active("channel")].length],
      ["pubsub_patterns", pubsub.patternCount()],
      ["pubsubshard_channels", [...pubsub.active("shard")].length],
      ["latest_fork_usec", 0],
      ["total_forks", 0],
      ["migrate_cached_sockets", targets.count()],
      ["slave_expires_tracked_keys", 0],
      ["active_defrag_hits", 0],
      ["active_defrag_misses", 0],
      ["active_defrag_key_hits", 0],
      ["active_defrag_key_misses", 0],
      ["total_active_defrag_time", 0],
      ["current_active_defrag_time", 0],
      ["tracking_total_keys", tracking.counts().keys],
      ["tracking_total_items", tracking.counts().items],
      ["tracking_total_prefixes", tracking.counts().prefixes],
      ["unexpected_error_replies", stats.unexpectedErrorReplies],
      ["total_error_replies", stats.errorReplies],
      ["dump_payload_sanitizations", 0],
      ["total_reads_processed", stats.reads],
      ["total_writes_processed", stats.writes],
      ["io_threaded_reads_processed", 0],
      ["io_threaded_writes_processed", 0],
      ["reply_buffer_shrinks", 0],
      ["reply_buffer_expands", 0],
      ["client_query_buffer_limit_disconnections", stats.queryLimitDisconnections],
      ["client_output_buffer_limit_disconnections", stats.outputLimitDisconnections],
    ]
  }

  const cpu = (): Fields => {
    const { system, user } = process.cpuUsage()
    const own = mainThreadUsage()
    const mainThread: Fields =
      own === undefined
        ? []
        : [
            ["used_cpu_sys_main_thread", (own.system / 1e6).toFixed(6)],
            ["used_cpu_user_main_thread", (own.user / 1e6).toFixed(6)],
          ]
    return [
      ["used_cpu_sys", (system / 1e6).toFixed(6)],
      ["used_cpu_user", (user / 1e6).toFixed(6)],
      ["used_cpu_sys_children", "0.000000"],
      ["used_cpu_user_children", "0.000000"],
      ...mainThread,
    ]
  }

  const entries = (): ReadonlyArray<Entry> =>
    registry.entries.flatMap((entry) => [entry, ...entry.subcommands.values()])

  const commandStats = (): Fields =>
    entries()
      .filter((entry) => entry.calls + entry.rejected + entry.failed > 0)
      .map(({ command, calls, micros, rejected, failed }) => {
        const perCall = calls === 0 ? 0 : micros / calls
        const counted = `calls=${calls},usec=${Math.round(micros)},usec_per_call=${perCall.toFixed(2)}`
        return [`cmdstat_${command.name}`, `${counted},rejected_calls=${rejected},failed_calls=${failed}`]
      })

  const latencyStats = (): Fields =>
    entries().flatMap(({ command, histogram }) => {
      if (histogram === undefined) return []
      const percentiles = config.current.latencyTrackingInfoPercentiles.map(
        (p) => `p${p}=${histogram.percentile(p).toFixed(3)}`,
      )
      return [[`latency_percentiles_usec_${command.name}`, percentiles.join(",")] as const]
    })

  /** Ms, estimated from a few keys. */
  const averageTtl = ({ keyspace }: Database): number => {
    const now = clock.now()
    let sum = 0
    let count = 0
    for (const key of keyspace.volatileKeys()) {
      sum += Math.max(0, keyspace.deadline(key)! - now)
      if (++count === ttlSamples) break
    }
    return count === 0 ? 0 : Math.round(sum / count)
  }

  const keyspace = (): Fields =>
    store.databases
      .filter((db) => db.size > 0)
      .map((db) => [`db${db.index}`, `keys=${db.size},expires=${db.volatileSize},avg_ttl=${averageTtl(db)}`])

  const sections: Record<string, () => Fields> = {
    server,
    clients: clientFields,
    memory: memoryFields,
    persistence: persistenceFields,
    stats: statsFields,
    replication: replication.info,
    cpu,
    modules: () => [],
    commandstats: commandStats,
    errorstats: () => [...stats.errors].sort().map(([code, count]) => [`errorstat_${code}`, `count=${count}`]),
    latencystats: latencyStats,
    cluster: () => [["cluster_enabled", 0]],
    keyspace,
  }

  const heading = (name: string) => `# ${name === "cpu" ? "CPU" : name.charAt(0).toUpperCase() + name.slice(1)}\r\n`
  const print = (name: string): string =>
    heading(name) +
    sections[name]!()
      .map(([field, value]) => `${field}:${value}\r\n`)
      .join("")

  const info = Command.make({
    name: "info",
    summary: "Get information and statistics about the server",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    history: [["7.0.0", "Added support for taking multiple section arguments."]],
    arity: -1,
    flags: "loading stale",
    acl: "dangerous",
    tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    args: [Arg.string("section", { optional: true, multiple: true })],
    parse: (args) => args.rest().map((word) => word.toLowerCase()),
    run: (asked) => {
      const wanted = new Set(
        (asked.length === 0 ? ["default"] : asked).flatMap((word) =>
          word === "default"
            ? defaultSections
            : word === "all" || word === "everything"
              ? [...defaultSections, ...furtherSections]
              : [word],
        ),
      )
      const printed = Object.keys(sections)
        .filter((name) => wanted.has(name))
        .map(print)
      return Either.right(Reply.verbatim("txt", printed.join("\r\n")))
    },
  })

  return [info]
})
