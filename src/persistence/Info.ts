/**
 * The state of persistence in files, kept by Files.ts and Jobs.ts, and the lines that INFO makes of it. The names and their order are
 * redis-server's.
 *
 * Differs: nothing is forked, so what Redis reports about copy-on-write memory is always 0.
 */
import type { Progress } from "./Loading.ts"
import type { AppendLog } from "./log/AppendLog.ts"
import type { Capture } from "./snapshot/Capture.ts"

/** The snapshot or rewrite that is under way. */
export interface Job {
  readonly kind: "snapshot" | "rewrite"
  readonly startedAtSeconds: number
  readonly capture: Capture | undefined
}

/** What the conductor and its jobs know. */
export interface State {
  job: Job | undefined
  saveScheduled: boolean
  rewriteScheduled: boolean
  lastSaveSeconds: number
  lastTrySeconds: number
  lastSaveOk: boolean
  /** Seconds; -1: there was none. */
  lastSaveDuration: number
  saves: number
  keysLoaded: number
  keysExpired: number
  lastRewriteTrySeconds: number
  lastRewriteOk: boolean
  lastRewriteDuration: number
  rewrites: number
  rewriteFailures: number
  baseBytes: number
  /** Bytes of the incremental files, without the one that is being written. */
  incrementalBytes: number
  /** Size of the log after its last rewrite, or at the start. */
  sizeAtRewrite: number
  /** The log on the disk lacks what memory has: it was switched on, or a sync failed. */
  needsBase: boolean
  /** The log on the disk is that of other data, which a master's has replaced: until there is another one nothing is added. */
  isLogOld: boolean
  nextRepairAtMs: number
  /** What a rewrite replaces stays where it is: the log was restored to a past second. */
  keepsOld: boolean
}

export const make = (now: number): State => ({
  job: undefined,
  saveScheduled: false,
  rewriteScheduled: false,
  lastSaveSeconds: now,
  lastTrySeconds: 0,
  lastSaveOk: true,
  lastSaveDuration: -1,
  saves: 0,
  keysLoaded: 0,
  keysExpired: 0,
  lastRewriteTrySeconds: 0,
  lastRewriteOk: true,
  lastRewriteDuration: -1,
  rewrites: 0,
  rewriteFailures: 0,
  baseBytes: 0,
  incrementalBytes: 0,
  sizeAtRewrite: 0,
  needsBase: false,
  isLogOld: false,
  nextRepairAtMs: 0,
  keepsOld: false,
})

export interface Moment {
  readonly loading: Progress | undefined
  /** Data that comes beside what is served. */
  readonly beside: Progress | undefined
  /** Unix seconds. */
  readonly now: number
  /** Changes since the last snapshot. */
  readonly dirty: number
  readonly log: AppendLog
  readonly appendonly: boolean
}

type Line = readonly [name: string, value: string | number]

const status = (ok: boolean): string => (ok ? "ok" : "err")
const flag = (value: boolean): number => (value ? 1 : 0)

export const lines = (facts: State, moment: Moment): ReadonlyArray<Line> => {
  const { job } = facts
  const { log, now } = moment
  const loading = moment.loading ?? moment.beside
  const elapsed = (kind: Job["kind"]): number => (job?.kind === kind ? now - job.startedAtSeconds : -1)
  const found: Array<Line> = [
    ["loading", flag(moment.loading !== undefined)],
    ["async_loading", flag(moment.beside !== undefined)],
    ["current_cow_peak", 0],
    ["current_cow_size", 0],
    ["current_cow_size_age", 0],
    ["current_fork_perc", "0.00"],
    ["current_save_keys_processed", job?.capture?.taken ?? 0],
    ["current_save_keys_total", job?.capture?.total ?? 0],
    ["rdb_changes_since_last_save", moment.dirty],
    ["rdb_bgsave_in_progress", flag(job?.kind === "snapshot")],
    ["rdb_last_save_time", facts.lastSaveSeconds],
    ["rdb_last_bgsave_status", status(facts.lastSaveOk)],
    ["rdb_last_bgsave_time_sec", facts.lastSaveDuration],
    ["rdb_current_bgsave_time_sec", elapsed("snapshot")],
    ["rdb_saves", facts.saves],
    ["rdb_last_cow_size", 0],
    ["rdb_last_load_keys_expired", loading?.keysExpired ?? facts.keysExpired],
    ["rdb_last_load_keys_loaded", loading?.keysLoaded ?? facts.keysLoaded],
    ["aof_enabled", flag(moment.appendonly)],
    ["aof_rewrite_in_progress", flag(job?.kind === "rewrite")],
    ["aof_rewrite_scheduled", flag(facts.rewriteScheduled || (facts.needsBase && job?.kind !== "rewrite"))],
    ["aof_last_rewrite_time_sec", facts.lastRewriteDuration],
    ["aof_current_rewrite_time_sec", elapsed("rewrite")],
    ["aof_last_bgrewrite_status", status(facts.lastRewriteOk)],
    ["aof_rewrites", facts.rewrites],
    ["aof_rewrites_consecutive_failures", facts.rewriteFailures],
    ["aof_last_write_status", status(log.refusal === undefined)],
    ["aof_last_cow_size", 0],
    ["module_fork_in_progress", 0],
    ["module_fork_last_cow_size", 0],
  ]
  if (log.isOpen) {
    found.push(
      ["aof_current_size", facts.baseBytes + facts.incrementalBytes + log.size],
      ["aof_base_size", facts.sizeAtRewrite],
      ["aof_pending_rewrite", 0],
      ["aof_buffer_length", log.waiting],
      ["aof_pending_bio_fsync", flag(log.pendingSync)],
      ["aof_delayed_fsync", log.delayedSyncs],
    )
  }
  if (loading !== undefined) {
    const { totalBytes, loadedBytes } = loading
    // Of one that comes without its length, the memory of who wrote it is a guess.
    const expectedBytes = totalBytes === 0 ? loading.rdbUsedMemory : totalBytes
    const percent = expectedBytes === 0 ? 0 : (loadedBytes / expectedBytes) * 100
    const passed = now - loading.startedAtSeconds
    found.push(
      ["loading_start_time", loading.startedAtSeconds],
      ["loading_total_bytes", totalBytes],
      ["loading_rdb_used_mem", loading.rdbUsedMemory],
      ["loading_loaded_bytes", loadedBytes],
      ["loading_loaded_perc", percent.toFixed(2)],
      [
        "loading_eta_seconds",
        loadedBytes === 0 ? 1 : Math.round((passed * Math.max(0, expectedBytes - loadedBytes)) / loadedBytes),
      ],
    )
  }
  return found
}
