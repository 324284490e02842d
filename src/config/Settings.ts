/**
 * Every setting of the server, once: its name as in redis.conf, the kind of value, default, unit, and when it may change.
 * Flags, settings files, TINY_REDIS_* variables, CONFIG GET, SET and REWRITE, the type of `Config.current` and the README's
 * table derive from this table, so a setting is added by adding a row here and reading it where it counts.
 *
 * The invariant: a row stands for something the server does. Settings of redis-server that would change nothing here are not
 * in the table, but for `list-compress-depth`; see WithoutEffect.ts for what a settings file may carry nevertheless.
 */
import { statSync } from "node:fs"
import { hidden } from "./HiddenSettings.ts"
import { type Setting, setting } from "./Setting.ts"
import * as Kind from "./SettingType.ts"
import * as Kinds from "./SettingTypes.ts"

export type { Setting } from "./Setting.ts"

const count = Kind.integer(0, Kind.int32Max)
const largeCount = Kind.integer(0, Kind.int64Max)
const mebibyte = 1024 ** 2

/** The texts are those of strerror(3), which CONFIG SET answers with. */
const missingDirectory = (path: string): string | undefined => {
  const found = path === "" ? undefined : statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return "No such file or directory"
  return found.isDirectory() ? undefined : "Not a directory"
}

export const settings = {
  // ----- Connections
  // Differs: in redis-server 0 means no TCP at all; CONFIG SET port 0 ends it here too.
  port: setting(Kind.integer(0, 65535), {
    default: 6379,
    about: "TCP port to listen on; at the start, 0 picks a free one, or none beside a tls-port.",
  }),
  // Differs: redis-server without a settings file listens on every interface; here, as its settings file says, on this machine's.
  bind: setting(Kind.wordList("addresses, as 127.0.0.1 ::1", 16, "Too many bind addresses specified."), {
    default: ["127.0.0.1", "-::1"],
    about: "Addresses to listen on: * and ::* stand for all of IPv4 and IPv6, and one after a - may be missing.",
  }),
  "bind-source-addr": setting(Kind.bytes, {
    default: "",
    about: 'Address that connections to the master and to other servers come from, "" for the one the system chooses.',
  }),
  "protected-mode": setting(Kind.boolean, {
    default: true,
    about: "Refuse clients of other machines as long as there is no password.",
  }),
  "tcp-backlog": setting(count, {
    default: 511,
    change: "never",
    about: "Connections the system keeps waiting until they are accepted.",
  }),
  "tcp-keepalive": setting(count, {
    default: 300,
    unit: "seconds",
    about: "Silence after which a connection is probed, 0 for never.",
  }),
  unixsocket: setting(Kind.filePath, {
    default: "",
    change: "never",
    about: "Path of a Unix socket to listen on as well.",
  }),
  unixsocketperm: setting(Kind.fileMode, {
    default: 0,
    change: "never",
    about: "Mode of the Unix socket's file, 0 for what the process creates files with.",
  }),
  timeout: setting(count, {
    default: 0,
    unit: "seconds",
    about: "Idle time after which a client is disconnected, 0 for never.",
  }),
  maxclients: setting(Kind.integer(1, 4294967295), {
    default: 10000,
    about: "Clients connected at the same time; one more is refused.",
  }),
  requirepass: setting(Kind.bytes, {
    default: "",
    about: 'Password a client must give before anything else, "" for none.',
  }),
  aclfile: setting(Kind.filePath, {
    default: "",
    change: "never",
    about: "File of the users, for ACL LOAD and SAVE; a path without a slash in front is below dir.",
  }),
  "acl-pubsub-default": setting(Kind.oneOf("allchannels", "resetchannels"), {
    default: "resetchannels",
    about: "Whether a user made by ACL SETUSER may use every channel or none.",
  }),
  "acllog-max-len": setting(largeCount, {
    default: 128,
    about: "Refusals that ACL LOG remembers.",
  }),
  "proto-max-bulk-len": setting(Kind.memory(mebibyte), {
    default: 512 * mebibyte,
    unit: "bytes",
    about: "Longest single argument and longest string value.",
  }),
  "client-query-buffer-limit": setting(Kind.memory(mebibyte), {
    default: 1024 * mebibyte,
    unit: "bytes",
    about: "Bytes of requests one client may have waiting before it is disconnected.",
  }),
  "client-output-buffer-limit": setting(Kinds.outputLimits, {
    default: {
      normal: { hardBytes: 0, softBytes: 0, softSeconds: 0 },
      replica: { hardBytes: 256 * mebibyte, softBytes: 64 * mebibyte, softSeconds: 60 },
      pubsub: { hardBytes: 32 * mebibyte, softBytes: 8 * mebibyte, softSeconds: 60 },
    },
    unit: "bytes, bytes, seconds",
    about: "Bytes of replies that may wait for a client of each class before it is disconnected.",
  }),
  "tracking-table-max-keys": setting(largeCount, {
    default: 1000000,
    about: "Keys remembered for client-side caching, 0 for no limit.",
  }),

  // ----- TLS
  "tls-port": setting(Kind.integer(0, 65535), { default: 0, about: "TCP port to serve TLS on, 0 for none." }),
  "tls-cert-file": setting(Kind.filePath, {
    default: "",
    refers: true,
    about: "The server's certificate in PEM form, followed by those that signed it.",
  }),
  "tls-key-file": setting(Kind.filePath, {
    default: "",
    refers: true,
    about: "The private key of the certificate, in PEM form.",
  }),
  "tls-key-file-pass": setting(Kind.bytes, { default: "", about: 'Password of the key\'s file, "" for none.' }),
  "tls-ca-cert-file": setting(Kind.filePath, {
    default: "",
    refers: true,
    about: "Certificates in PEM form that clients' may be signed by.",
  }),
  "tls-ca-cert-dir": setting(Kind.filePath, {
    default: "",
    refers: true,
    about: "Directory of such certificates, named by openssl rehash.",
  }),
  "tls-auth-clients": setting(Kind.oneOf("no", "yes", "optional"), {
    default: "yes",
    about: "Whether clients have to show a certificate; optional: one that is shown must be good.",
  }),
  "tls-protocols": setting(Kind.bytes, {
    default: "",
    about: 'Some of TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3; "" for the last two.',
  }),
  "tls-ciphers": setting(Kind.bytes, {
    default: "",
    about: 'Ciphers up to TLS 1.2, as OpenSSL lists them, "" for Node\'s own choice.',
  }),
  "tls-ciphersuites": setting(Kind.bytes, {
    default: "",
    about: 'Cipher suites of TLS 1.3, separated by colons, "" for Node\'s own choice.',
  }),
  "tls-prefer-server-ciphers": setting(Kind.boolean, {
    default: false,
    about: "Choose a cipher by the server's order instead of the client's.",
  }),
  "tls-dh-params-file": setting(Kind.filePath, {
    default: "",
    refers: true,
    about: 'Diffie-Hellman parameters in PEM form, "" for well-known ones.',
  }),
  "tls-session-caching": setting(Kind.boolean, {
    default: true,
    about: "Let clients without tickets take up a former session; those with tickets always can.",
  }),
  "tls-replication": setting(Kind.boolean, {
    default: false,
    about: "Connect to the master by TLS.",
  }),
  "tls-client-cert-file": setting(Kind.filePath, {
    default: "",
    refers: true,
    about: "Certificate to show the master, the server's own if empty.",
  }),
  "tls-client-key-file": setting(Kind.filePath, {
    default: "",
    refers: true,
    about: "The private key of that certificate.",
  }),
  "tls-client-key-file-pass": setting(Kind.bytes, { default: "", about: 'Password of that key\'s file, "" for none.' }),
  "tls-session-cache-size": setting(count, { default: 20480, about: "Sessions kept for that, 0 for no limit." }),
  "tls-session-cache-timeout": setting(count, {
    default: 300,
    unit: "seconds",
    about: "Age at which a session, with or without a ticket, is no longer taken up.",
  }),

  // ----- Data
  databases: setting(Kind.integer(1, Kind.int32Max), { default: 16, change: "never", about: "Number of databases." }),
  // Differs: redis-server has one kind. The map is the one to read; bytes hold more keys in less memory, and no collection walks them.
  keyspace: setting(Kind.oneOf("map", "bytes"), {
    default: "bytes",
    change: "never",
    about: "How keys and strings are kept: as objects in a map, or as bytes outside the JavaScript heap.",
  }),
  maxmemory: setting(Kind.memory(0, 18446744073709551615n), {
    default: 0,
    unit: "bytes",
    about: "Memory the data may take before keys are evicted or writes refused, 0 for no limit.",
  }),
  "maxmemory-policy": setting(
    Kind.oneOf(
      "volatile-lru",
      "volatile-lfu",
      "volatile-random",
      "volatile-ttl",
      "allkeys-lru",
      "allkeys-lfu",
      "allkeys-random",
      "noeviction",
    ),
    { default: "noeviction", about: "Which keys go when maxmemory is reached." },
  ),
  "maxmemory-samples": setting(Kind.integer(1, Kind.int32Max), {
    default: 5,
    about: "Keys looked at to find one to evict: more is closer to true LRU and slower.",
  }),
  "maxmemory-clients": setting(Kind.memoryOrPercent, {
    default: 0,
    unit: "bytes or % of maxmemory",
    about: "Memory all clients together may take before the greediest is disconnected, 0 for no limit.",
  }),
  "lfu-log-factor": setting(count, {
    default: 10,
    about: "How slowly a key's counter of uses grows: 10 saturates at a million uses.",
  }),
  "lfu-decay-time": setting(count, {
    default: 1,
    unit: "minutes",
    about: "Time without use after which a key's counter of uses goes down by one.",
  }),
  "hash-max-listpack-entries": setting(largeCount, {
    default: 512,
    aliases: ["hash-max-ziplist-entries"],
    about: "Fields up to which a hash reports the encoding listpack.",
  }),
  "hash-max-listpack-value": setting(Kind.memory(), {
    default: 64,
    unit: "bytes",
    aliases: ["hash-max-ziplist-value"],
    about: "Longest field or value with which a hash reports the encoding listpack.",
  }),
  "list-max-listpack-size": setting(Kind.integer(-2147483648, Kind.int32Max), {
    default: -2,
    aliases: ["list-max-ziplist-size"],
    about: "Elements in a node of a list, or from -1 to -5 a node's bytes: 4, 8, 16, 32 or 64 KiB.",
  }),
  // No client sees what it chooses in redis-server, save by the memory that is used.
  "list-compress-depth": setting(count, {
    default: 0,
    about: "Taken and told, for those who set it: lists are not compressed, whatever it says.",
  }),
  "set-max-intset-entries": setting(largeCount, {
    default: 512,
    about: "Members up to which a set of integers reports the encoding intset.",
  }),
  "zset-max-listpack-entries": setting(largeCount, {
    default: 128,
    aliases: ["zset-max-ziplist-entries"],
    about: "Members up to which a sorted set reports the encoding listpack.",
  }),
  "zset-max-listpack-value": setting(Kind.memory(), {
    default: 64,
    unit: "bytes",
    aliases: ["zset-max-ziplist-value"],
    about: "Longest member with which a sorted set reports the encoding listpack.",
  }),
  "hll-sparse-max-bytes": setting(Kind.memory(), {
    default: 3000,
    unit: "bytes",
    about: "Size at which a HyperLogLog turns from sparse to dense.",
  }),
  "stream-node-max-bytes": setting(Kind.memory(), {
    default: 4096,
    unit: "bytes",
    about: "Bytes in a block of stream entries, 0 for no limit; ~ trims whole blocks.",
  }),
  "stream-node-max-entries": setting(largeCount, {
    default: 100,
    about: "Entries in a block of a stream, 0 for no limit; ~ trims whole blocks.",
  }),
  "notify-keyspace-events": setting(Kinds.eventClasses, {
    default: 0,
    about: "Classes of keyspace events to publish, as letters; none of them without K or E.",
  }),

  // ----- Files
  dir: setting(Kind.directory(missingDirectory), {
    default: "./",
    change: "protected",
    about: "Directory of the snapshot and of the append-only directory.",
  }),
  save: setting(Kinds.savePoints, {
    default: [
      { seconds: 3600, changes: 1 },
      { seconds: 300, changes: 100 },
      { seconds: 60, changes: 10000 },
    ],
    unit: "seconds, changes",
    about: "When to write a snapshot: after so many seconds if at least so many keys changed.",
  }),
  dbfilename: setting(Kind.fileName("dbfilename", "filename", true), {
    default: "dump.rdb",
    change: "protected",
    about: "Name of the snapshot.",
  }),
  rdbcompression: setting(Kind.boolean, { default: true, about: "Compress long strings in snapshots." }),
  rdbchecksum: setting(Kind.boolean, {
    default: true,
    change: "never",
    about: "Put a checksum at the end of snapshots, and verify it.",
  }),
  "sanitize-dump-payload": setting(Kind.oneOf("no", "yes", "clients"), {
    default: "no",
    about:
      "Whether snapshots (yes) and what RESTORE is given (yes, clients) must also be right where this server does not need it: all else is always checked.",
  }),
  "stop-writes-on-bgsave-error": setting(Kind.boolean, {
    default: true,
    about: "Refuse writes while the last snapshot in the background failed.",
  }),
  appendonly: setting(Kind.boolean, { default: false, about: "Log every change to the append-only directory." }),
  appendfsync: setting(Kind.oneOf("everysec", "always", "no"), {
    default: "everysec",
    about: "When the log is forced to the disk: before each reply, each second, or when the system likes.",
  }),
  appenddirname: setting(Kind.fileName("appenddirname", "dirname"), {
    default: "appendonlydir",
    change: "never",
    about: "Name of the append-only directory.",
  }),
  appendfilename: setting(Kind.fileName("appendfilename", "filename"), {
    default: "appendonly.aof",
    change: "never",
    about: "What the names of the files in the append-only directory begin with.",
  }),
  "no-appendfsync-on-rewrite": setting(Kind.boolean, {
    default: false,
    about: "Do not force the log to the disk while it is rewritten or a snapshot is written.",
  }),
  "auto-aof-rewrite-percentage": setting(count, {
    default: 100,
    unit: "%",
    about: "Growth of the log since its last rewrite at which it is rewritten, 0 for never.",
  }),
  "auto-aof-rewrite-min-size": setting(Kind.memory(), {
    default: 64 * mebibyte,
    unit: "bytes",
    about: "Size below which the log is not rewritten by itself.",
  }),
  "aof-load-truncated": setting(Kind.boolean, {
    default: true,
    about: "Start although the last record of the log is torn, cutting it off.",
  }),
  "aof-use-rdb-preamble": setting(Kind.boolean, {
    default: true,
    about: "Write the base of a rewritten log as a snapshot instead of as commands.",
  }),
  "aof-timestamp-enabled": setting(Kind.boolean, {
    default: false,
    about: "Note the time in the log, so that the state of a past second can be restored.",
  }),
  "recover-to": setting(largeCount, {
    default: 0,
    change: "never",
    unit: "Unix seconds",
    about: "Start with the state at the end of this past second, from a log with timestamps; 0 for the latest state.",
  }),

  // ----- Replication
  replicaof: setting(Kinds.master, {
    default: undefined,
    aliases: ["slaveof"],
    change: "never",
    about: "Host and port of the master to be a replica of; the command REPLICAOF changes it.",
  }),
  masterauth: setting(Kind.bytes, { default: "", about: 'Password to give the master, "" for none.' }),
  masteruser: setting(Kind.bytes, { default: "", about: 'User to be for the master, "" for the default one.' }),
  "replica-read-only": setting(Kind.boolean, {
    default: true,
    aliases: ["slave-read-only"],
    about: "Refuse writes of clients while this server is a replica.",
  }),
  "replica-serve-stale-data": setting(Kind.boolean, {
    default: true,
    aliases: ["slave-serve-stale-data"],
    about: "Answer from the data that is there while the link to the master is down.",
  }),
  "replica-priority": setting(count, {
    default: 100,
    aliases: ["slave-priority"],
    about: "How willingly a replica is made the master by Sentinel: the lower the sooner, 0 for never.",
  }),
  "replica-announce-ip": setting(Kind.bytes, {
    default: "",
    aliases: ["slave-announce-ip"],
    about: 'Address the master is to show for this replica, "" for the one it sees.',
  }),
  "replica-announce-port": setting(Kind.integer(0, 65535), {
    default: 0,
    aliases: ["slave-announce-port"],
    about: "Port the master is to show for this replica, 0 for the one it listens on.",
  }),
  "repl-backlog-size": setting(Kind.memory(1), {
    default: mebibyte,
    unit: "bytes",
    about: "Latest changes kept for replicas whose link breaks; from 16kb to 511mb are.",
  }),
  "repl-backlog-ttl": setting(largeCount, {
    default: 3600,
    unit: "seconds",
    about: "Time without replicas after which a master lets go of the backlog, 0 for never.",
  }),
  "repl-ping-replica-period": setting(Kind.integer(1, Kind.int32Max), {
    default: 10,
    unit: "seconds",
    aliases: ["repl-ping-slave-period"],
    about: "Time between the signs of life a master sends its replicas.",
  }),
  "repl-timeout": setting(Kind.integer(1, Kind.int32Max), {
    default: 60,
    unit: "seconds",
    about: "Time after which a replica, or a master, that gives no sign of life is given up.",
  }),
  "repl-diskless-sync": setting(Kind.boolean, {
    default: true,
    about: "Send replicas a snapshot while it is made; no: make it first, in memory, as soon as one asks.",
  }),
  "repl-diskless-sync-delay": setting(count, {
    default: 5,
    unit: "seconds",
    about: "Time to wait for further replicas before a snapshot is sent to all that want one.",
  }),
  "repl-diskless-sync-max-replicas": setting(count, {
    default: 0,
    about: "So many waiting replicas end that time early, 0 for never.",
  }),
  "repl-diskless-load": setting(Kind.oneOf("disabled", "on-empty-db", "swapdb"), {
    default: "disabled",
    about:
      "How a replica takes all of its master's data: from a file when it is complete, or as it comes (if there are no keys; beside its own data).",
  }),
  "shutdown-timeout": setting(count, {
    default: 10,
    unit: "seconds",
    about: "How long a master that stops waits for replicas to have everything.",
  }),
  "min-replicas-to-write": setting(count, {
    default: 0,
    aliases: ["min-slaves-to-write"],
    about: "With fewer replicas a master refuses writes.",
  }),
  "min-replicas-max-lag": setting(count, {
    default: 10,
    unit: "seconds",
    aliases: ["min-slaves-max-lag"],
    about: "A replica whose last sign of life is older does not count for that; 0 for never refusing.",
  }),

  // ----- Running
  "shutdown-on-sigterm": setting(Kinds.shutdownMode, {
    default: Kinds.defaultShutdown,
    about: "What SIGTERM does: the words of SHUTDOWN, as nosave now force.",
  }),
  "shutdown-on-sigint": setting(Kinds.shutdownMode, {
    default: Kinds.defaultShutdown,
    about: "What SIGINT does; a second one ends the process at once.",
  }),
  // What the program does to its process, and a server inside of another program to none; see Process.ts.
  "set-proc-title": setting(Kind.boolean, {
    default: true,
    change: "never",
    about: "Show in the system's list of processes, in place of the command line, what proc-title-template says.",
  }),
  "proc-title-template": setting(Kinds.titleTemplate, {
    default: "{title} {listen-addr} {server-mode}",
    about: `Title of the process, of which the system shows as much as the command line was long; ${Kinds.titleFieldNames}.`,
  }),
  "oom-score-adj": setting(Kinds.oomScoring, {
    default: "no",
    about:
      "Tell Linux how soon to end the process when memory runs out: absolute, or by a change of what it was (yes).",
  }),
  "oom-score-adj-values": setting(Kinds.oomScores, {
    default: [0, 200, 800],
    about:
      "What it is told of a master, of a replica, and of processes that write files, which there are none of here.",
  }),
  loglevel: setting(Kind.oneOf("debug", "verbose", "notice", "warning"), {
    default: "notice",
    about: "Least important messages that are logged.",
  }),
  logfile: setting(Kind.filePath, {
    default: "",
    change: "never",
    about: "File of the server's messages, standard output if empty.",
  }),
  "busy-reply-threshold": setting(largeCount, {
    default: 5000,
    unit: "milliseconds",
    aliases: ["lua-time-limit"],
    about: "Time after which a script counts as too slow and other clients are answered BUSY, 0 for never.",
  }),
  "script-time-limit": setting(largeCount, {
    default: 60_000,
    unit: "milliseconds",
    about: "Time after which a script that lets nobody else be answered is ended, whatever it catches, 0 for never.",
  }),
  "script-memory-limit": setting(Kind.memory(), {
    default: 512 * mebibyte,
    unit: "bytes",
    about: "Memory that scripts get; then they see the error not enough memory. 0 for no limit.",
  }),
  "slowlog-log-slower-than": setting(Kind.integer(-1, Kind.int64Max), {
    default: 10000,
    unit: "microseconds",
    about: "Time from which a command is noted in the slow log, -1 for never.",
  }),
  "slowlog-max-len": setting(largeCount, { default: 128, about: "Entries the slow log keeps." }),
  "latency-monitor-threshold": setting(largeCount, {
    default: 0,
    unit: "milliseconds",
    about: "Time from which an event is noted for LATENCY, 0 for never.",
  }),
  "latency-tracking": setting(Kind.boolean, {
    default: true,
    about: "Keep the distribution of each command's time for LATENCY HISTOGRAM and INFO.",
  }),
  "latency-tracking-info-percentiles": setting(Kinds.percentiles, {
    default: [50, 99, 99.9],
    unit: "%",
    about: "Percentiles of each command's time that INFO latencystats shows.",
  }),
  "enable-debug-command": setting(Kind.oneOf("no", "yes", "local"), {
    default: "no",
    change: "never",
    about: "Who may use DEBUG: nobody, everybody, or clients of this machine.",
  }),
  "enable-protected-configs": setting(Kind.oneOf("no", "yes", "local"), {
    default: "no",
    change: "never",
    about: "Who may change dir and dbfilename by CONFIG SET: nobody, everybody, or clients of this machine.",
  }),

  ...hidden,
} as const

type Table = typeof settings

/** The name of a setting as in redis.conf. */
export type SettingName = keyof Table

type Camel<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name

/** The name of a setting as a property: `maxmemory-policy` is `maxmemoryPolicy`. */
export type Property<Name extends SettingName = SettingName> = Camel<Name>

/** The values of all settings, by property. */
export type Values = {
  readonly [Name in SettingName as Camel<Name>]: Table[Name] extends Setting<infer A> ? A : never
}

/** One value of any setting, where only the table knows which kind it is. */
export type Value = Values[Property]

/** A row with what derives from its name. The value's kind is known to the row alone, so it is opaque here. */
export interface Entry {
  readonly name: SettingName
  readonly property: Property
  /** The environment variable: `TINY_REDIS_MAXMEMORY_POLICY`. */
  readonly variable: string
  readonly setting: Setting<Value>
}

const propertyOf = (name: string): string => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())

/** The table as a list, in its order. */
export const entries: ReadonlyArray<Entry> = Object.entries(settings).map(([name, row]) => ({
  name: name as SettingName,
  property: propertyOf(name) as Property,
  variable: `TINY_REDIS_${name.replaceAll("-", "_").toUpperCase()}`,
  // A row reads and prints values of its own kind only; the loops over the table never mix two rows.
  setting: row as unknown as Setting<Value>,
}))

const byName = new Map(entries.flatMap((entry) => [entry.name, ...entry.setting.aliases].map((name) => [name, entry])))

/** Every name in lower case, older ones included, with what it stands for. */
export const names: ReadonlyMap<string, Entry> = byName

/** The setting of that name, in any case. */
export const find = (name: string): Entry | undefined => byName.get(name.toLowerCase())
