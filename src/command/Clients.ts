/**
 * All clients of a server, and what can be done to them from outside: CLIENT LIST, KILL and PAUSE, and the numbers INFO shows.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Clock, type ClockService } from "../clock/Clock.ts"
import { type Client, connectionBytes, heldBytes } from "./Client.ts"

/** Why commands are held back; each reason begins and ends by itself. `command`: CLIENT PAUSE. */
export type PauseReason = "command" | "failover" | "migration" | "shutdown" | "sleep"

export interface Pause {
  readonly untilMs: number
  /** `write` holds back commands that may write, `all` every command. */
  readonly mode: "write" | "all"
}

export interface ClientsService {
  readonly byId: ReadonlyMap<number, Client>
  readonly nextId: () => number
  readonly add: (client: Client) => void
  /** Called when a connection has ended or is given up: it waits for nothing any more, and nobody finds it. */
  readonly remove: (client: Client) => void
  /** Runs the `onForget` listeners. */
  readonly forget: (client: Client) => void
  /** What all connections take together, in bytes. */
  readonly memoryBytes: () => number
  /** What clients hold that are neither replicas nor this server's master: see `heldBytes`. */
  readonly heldBytes: () => number
  /** Called with a client that has ended or was RESET: whoever keeps something for it lets go of it. */
  readonly onForget: Array<(client: Client) => void>
  /** For how long, in ms, the longest of the answers that were sent together counts in CLIENT LIST; Infinity: for ever. */
  outputPeakPeriodMs: number
  /** The strictest of the pauses in force, until the last of that kind ends; absent when there is none. */
  readonly pause: (now: number) => Pause | undefined
  /** A pause in force is never shortened, and one for all commands not weakened. */
  readonly pauseUntil: (reason: PauseReason, untilMs: number, mode: Pause["mode"]) => void
  readonly unpause: (reason: PauseReason) => void
  /** Until when (Unix ms) no key is to go by itself, since a replica that is about to be promoted would not see it; 0: it may. */
  readonly keptUntil: (now: number) => number
  /** Ends when the pause of now does; there may be another by then. */
  readonly unpaused: Effect.Effect<void>
}

export class Clients extends Context.Tag("tiny-redis/Clients")<Clients, ClientsService>() {
  static readonly layer = Layer.effect(
    this,
    Effect.map(Clock, (clock) => make(clock)),
  )
}

export const outputPeakPeriodDefaultMs = 5000

/** Whether what it holds counts against limits. Neither replicas nor a master do. */
export const counts = ({ isMaster, replica }: Client): boolean => replica === undefined && !isMaster

const strictest = (pauses: Iterable<Pause>, now: number): Pause | undefined => {
  let found: Pause | undefined
  for (const pause of pauses) {
    if (pause.untilMs <= now || (found?.mode === "all" && pause.mode === "write")) continue
    const isStricter = found === undefined || found.mode !== pause.mode
    found = isStricter || pause.untilMs > found!.untilMs ? pause : found
  }
  return found
}

const make = (clock: ClockService): ClientsService => {
  const pauses = new Map<PauseReason, Pause>()
  /** When the last of them ends. Asked for every request. */
  let pausedUntilMs = 0
  const waiting = new Set<() => void>()
  const inForce = (now: number): Pause | undefined =>
    now < pausedUntilMs ? strictest(pauses.values(), now) : undefined
  const endsOf = (reason: PauseReason): number => pauses.get(reason)?.untilMs ?? 0
  const byId = new Map<number, Client>()
  let lastId = 0
  const clients: ClientsService = {
    byId,
    nextId: () => ++lastId,
    add: (client) => byId.set(client.id, client),
    remove: (client) => {
      if (!byId.delete(client.id)) return
      client.parked?.unblock("closed")
      clients.forget(client)
    },
    forget: (client) => {
      for (const listener of clients.onForget) listener(client)
    },
    memoryBytes: () => {
      let bytes = byId.size * connectionBytes
      for (const client of byId.values()) bytes += heldBytes(client)
      return bytes
    },
    heldBytes: () => {
      let bytes = 0
      for (const client of byId.values()) if (counts(client)) bytes += heldBytes(client)
      return bytes
    },
    onForget: [],
    outputPeakPeriodMs: outputPeakPeriodDefaultMs,
    pause: inForce,
    pauseUntil: (reason, untilMs, mode) => {
      const now = clock.now()
      const found = pauses.get(reason)
      const old = found !== undefined && found.untilMs > now ? found : undefined
      pauses.set(reason, {
        untilMs: Math.max(untilMs, old?.untilMs ?? 0),
        mode: old?.mode === "all" ? "all" : mode,
      })
      pausedUntilMs = Math.max(pausedUntilMs, untilMs)
    },
    keptUntil: (now) => {
      const untilMs = Math.max(endsOf("command"), endsOf("failover"))
      return untilMs > now ? untilMs : 0
    },
    unpause: (reason) => {
      if (!pauses.delete(reason)) return
      pausedUntilMs = 0
      for (const { untilMs } of pauses.values()) pausedUntilMs = Math.max(pausedUntilMs, untilMs)
      for (const client of byId.values()) client.postponed = false
      for (const wake of waiting) wake()
    },
    unpaused: Effect.suspend(() => {
      const current = inForce(clock.now())
      if (current === undefined) return Effect.void
      const woken = Effect.async<void>((resume) => {
        const wake = () => resume(Effect.void)
        waiting.add(wake)
        return Effect.sync(() => waiting.delete(wake))
      })
      return Effect.raceFirst(clock.sleepUntil(current.untilMs), woken)
    }),
  }
  return clients
}
