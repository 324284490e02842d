/** A snapshot's bytes from its header on, as settings have it: the same for a file, the base of a log, and a replica. */
import type { ClockService } from "../../clock/Clock.ts"
import type { Values } from "../../config/Config.ts"
import { redisVersion } from "../../config/Version.ts"
import { SnapshotWriter } from "../rdb/SnapshotWriter.ts"
import type { Format } from "./Slices.ts"

export interface Making {
  readonly clock: ClockService
  readonly current: Values
  /** Bytes. */
  readonly usedMemory: () => number
  readonly functionLibraries: () => ReadonlyArray<string>
  /** Facts beyond those that every snapshot tells. */
  readonly facts: ReadonlyArray<readonly [name: string, value: string]>
  /** Whether it is the base of a log. */
  readonly isBase: boolean
}

export const make = ({ clock, current, usedMemory, functionLibraries, facts, isBase }: Making): Format => {
  const writer = new SnapshotWriter({
    compression: current.rdbcompression,
    checksum: current.rdbchecksum,
    limits: current,
    policy: current.maxmemoryPolicy,
    now: clock.now,
  })
  writer.header([
    ["redis-ver", redisVersion],
    ["redis-bits", "64"],
    ["ctime", String(Math.floor(clock.now() / 1000))],
    ["used-mem", String(usedMemory())],
    ...facts,
    ["aof-base", isBase ? "1" : "0"],
  ])
  for (const source of functionLibraries()) writer.functionLibrary(source)
  return writer
}
