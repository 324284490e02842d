/**
 * What a snapshot tells of the history that it is a state of, so that a server that begins with it can go on: a replica asks its master
 * for what comes behind, and a master lets those go on that had exactly this state.
 *
 * The idea to hold: a master that starts is a new history, since nobody knows what its old one came to after the snapshot; the old name
 * holds up to the snapshot. Keys that are left out because their time has come meanwhile are the first changes of the new one.
 */
import { parseSafeInteger } from "../bytes/Numbers.ts"
import type { SnapshotStream } from "../persistence/Persistence.ts"
import type { History } from "./History.ts"

export interface SnapshotFactsServices {
  readonly history: History
  readonly isMaster: () => boolean
  /** A history was found in a snapshot; its stream goes on in that database. */
  readonly restored: (streamDb: number) => void
}

/** The facts of this instant. */
export const factsOf = (history: History, isMaster: boolean) =>
  [
    ["repl-stream-db", String(isMaster ? 0 : Math.max(0, history.selected))],
    ["repl-id", history.id],
    ["repl-offset", String(history.offset)],
  ] as const

export const make = ({ history, isMaster, restored }: SnapshotFactsServices): SnapshotStream => {
  let id: string | undefined
  let offset: number | undefined
  let streamDb = 0
  let isRestored = false
  const restore = (): void => {
    if (isRestored || id === undefined || offset === undefined) return
    isRestored = true
    history.restore(id, offset, isMaster())
    restored(streamDb)
  }
  return {
    // A master that keeps nothing of its stream does not count it either.
    facts: () => (isMaster() && history.backlog === undefined ? [] : factsOf(history, isMaster())),
    aux: (name, value) => {
      if (name === "repl-id" && /^[0-9a-f]{40}$/i.test(value)) id = value.toLowerCase()
      else if (name === "repl-offset") offset = offsetOf(value)
      else if (name === "repl-stream-db") streamDb = offsetOf(value) ?? 0
    },
    expired: (db, key) => {
      restore()
      if (isRestored) history.append([{ db, argv: ["DEL", key] }])
    },
    loaded: restore,
  }
}

const offsetOf = (value: string): number | undefined => {
  const offset = parseSafeInteger(value)
  return offset !== undefined && offset >= 0 ? offset : undefined
}
