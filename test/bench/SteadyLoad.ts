/**
 * A load at a fixed rate, whatever the server does: commands leave on a timetable, and a command's latency counts from the
 * moment it was due, so that a server which stands still for a second delays everything that was due in it (a client that
 * waits for each reply would have asked only once). Used where the question is how long users wait while something goes on.
 */
import type { Server } from "./Children.ts"
import { type Argv, Client, request } from "./Client.ts"

/** How long an answer took from when its question was due. */
export interface Wait {
  /** On the clock of `performance.now()`. */
  readonly dueMs: number
  readonly ms: number
}

export interface SteadyLoad {
  /** The latencies in milliseconds since the last call, in order of sending. */
  readonly take: () => ReadonlyArray<number>
  /** The same with the instants at which the questions were due. */
  readonly takeWaits: () => ReadonlyArray<Wait>
  readonly stop: () => Promise<void>
}

const tickMs = 1

/** Sends `argv(0)`, `argv(1)`, ... at `perSecond` until stopped. */
export const startSteadyLoad = async (
  server: Server,
  perSecond: number,
  argv: (index: number) => Argv,
): Promise<SteadyLoad> => {
  const client = await Client.connect(server)
  const began = performance.now()
  let waits: Array<Wait> = []
  let sent = 0
  let failed: unknown
  const dueAt = (index: number): number => began + (index * 1000) / perSecond
  const sendOne = (index: number): void => {
    const due = dueAt(index)
    client.sendText(request(argv(index)), 1).then(
      () => waits.push({ dueMs: due, ms: performance.now() - due }),
      (error) => (failed = error),
    )
  }
  const timer = setInterval(() => {
    const now = performance.now()
    while (dueAt(sent) <= now) sendOne(sent++)
  }, tickMs)
  const takeWaits = () => {
    if (failed !== undefined) throw failed
    const taken = waits
    waits = []
    return taken
  }
  return {
    take: () => takeWaits().map(({ ms }) => ms),
    takeWaits,
    stop: async () => {
      clearInterval(timer)
      await client.call("PING")
      client.close()
    },
  }
}
