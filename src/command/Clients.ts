/**
 * All clients of a server, and what can be done to them from outside: CLIENT LIST, KILL and PAUSE, and the numbers INFO shows.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type { Client } from "./Client.ts"

export interface Pause {
  readonly untilMs: number
  /** `write` holds back commands that may write, `all` every command. */
  readonly mode: "write" | "all"
}

export interface ClientsService {
  readonly byId: ReadonlyMap<number, Client>
  readonly nextId: () => number
  readonly add: (client: Client) => void
  /** Called once when a connection has ended. */
  readonly remove: (client: Client) => void
  /** Runs the `onForget` listeners. */
  readonly forget: (client: Client) => void
  /** Called with a client that has ended or was RESET: whoever keeps something for it lets go of it. */
  readonly onForget: Array<(client: Client) => void>
  /** CLIENT PAUSE, until its time has passed or UNPAUSE. */
  pause: Pause | undefined
}

export class Clients extends Context.Tag("tiny-redis/Clients")<Clients, ClientsService>() {
  static readonly layer = Layer.sync(this, () => make())
}

const make = (): ClientsService => {
  const byId = new Map<number, Client>()
  let lastId = 0
  const clients: ClientsService = {
    byId,
    nextId: () => ++lastId,
    add: (client) => byId.set(client.id, client),
    remove: (client) => {
      if (byId.delete(client.id)) clients.forget(client)
    },
    forget: (client) => {
      for (const listener of clients.onForget) listener(client)
    },
    onForget: [],
    pause: undefined,
  }
  return clients
}
