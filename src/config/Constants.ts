/**
 * Settings of redis-server that have one possible value here, because what they would choose is not there or not a choice: one thread,
 * no cluster, nothing freed later. CONFIG GET tells it to who asks (dashboards do, and a settings file may say it); any other value is
 * refused.
 *
 * Differs: redis-server has a choice in these.
 *
 * The invariant: what stands here is true. A setting whose value would mean nothing in this server (`hz`) is not known to CONFIG at all.
 */

export interface Constant {
  readonly value: string
  /** Whether CONFIG SET refuses even the value it has, as redis-server does. */
  readonly immutable: boolean
}

const fixed = (value: string): Constant => ({ value, immutable: true })
const only = (value: string): Constant => ({ value, immutable: false })

export const constants: ReadonlyMap<string, Constant> = new Map([
  ["activedefrag", only("no")],
  ["always-show-logo", fixed("no")],
  ["aof-disable-auto-gc", only("no")],
  ["aof_rewrite_cpulist", fixed("")],
  ["bgsave_cpulist", fixed("")],
  ["bio_cpulist", fixed("")],
  ["cluster-enabled", fixed("no")],
  ["crash-log-enabled", only("no")],
  ["crash-memcheck-enabled", only("no")],
  ["daemonize", fixed("no")],
  ["disable-thp", fixed("no")],
  ["enable-module-command", fixed("no")],
  ["io-threads", fixed("1")],
  ["io-threads-do-reads", fixed("no")],
  ["jemalloc-bg-thread", only("no")],
  ["lazyfree-lazy-eviction", only("no")],
  ["lazyfree-lazy-expire", only("no")],
  ["lazyfree-lazy-server-del", only("no")],
  ["lazyfree-lazy-user-del", only("no")],
  ["lazyfree-lazy-user-flush", only("no")],
  // Keys go until there is room enough, however long that takes.
  ["maxmemory-eviction-tenacity", only("100")],
  ["pidfile", fixed("")],
  // A master's command that fails here is told the operator.
  ["propagation-error-behavior", only("ignore")],
  ["rdb-del-sync-files", only("no")],
  ["repl-disable-tcp-nodelay", only("no")],
  ["replica-announced", only("yes")],
  ["replica-ignore-disk-write-errors", only("no")],
  ["replica-ignore-maxmemory", only("yes")],
  ["replica-lazy-flush", only("no")],
  ["server_cpulist", fixed("")],
  ["slave-ignore-maxmemory", only("yes")],
  ["slave-lazy-flush", only("no")],
  ["socket-mark-id", fixed("0")],
  ["supervised", fixed("no")],
  ["syslog-enabled", fixed("no")],
  ["tls-cluster", only("no")],
])

/** The constant of that name, in any case. */
export const find = (name: string): Constant | undefined => constants.get(name.toLowerCase())

/** Why another value is refused. */
export const refusal = ({ value }: Constant): string => `this server has no choice here but '${value}'`

/** Whether `text` says what `constant` is; yes and no may be written in any case. */
export const says = ({ value }: Constant, text: string): boolean => text.toLowerCase() === value
