/**
 * What all clients hold together: what counts with the data against `maxmemory`, and that it is no more than `maxmemory-clients`.
 *
 * The idea to hold: a connection is weighed when it has served a batch, has sent or received something that stays; the sum of all is
 * always known. While there is no such limit nobody is weighed, which costs a batch one look at a property.
 */
import { type Client, connectionBytes, heldBytes } from "../command/Client.ts"
import { type ClientsService, counts } from "../command/Clients.ts"
import type { StatsService } from "../command/Stats.ts"
import type { ConfigService } from "../config/Config.ts"
import type { StoreService } from "../store/Store.ts"

export interface ClientMemoryServices {
  readonly clients: ClientsService
  readonly config: ConfigService
  readonly stats: StatsService
  readonly store: StoreService
}

export class ClientMemory {
  /** Whether what clients hold counts against a limit. */
  isLimited = false
  /** Whether who holds most is ended where all hold too much. */
  endsClients = false
  /** `maxmemory-clients` in bytes; 0: no limit. */
  private bytesMax = 0
  private readonly services: ClientMemoryServices

  constructor(services: ClientMemoryServices) {
    this.services = services
    this.follow()
  }

  /** To be called when one of the limits has changed. */
  follow(): void {
    const { clients, config, store } = this.services
    const { maxmemory, maxmemoryClients } = config.current
    this.bytesMax =
      typeof maxmemoryClients === "number" ? maxmemoryClients : Math.floor((maxmemory * maxmemoryClients.percent) / 100)
    this.endsClients = this.bytesMax > 0
    this.isLimited = maxmemory > 0 || this.bytesMax > 0
    if (this.isLimited) for (const client of clients.byId.values()) this.weigh(client)
    else {
      for (const client of clients.byId.values()) client.weighedBytes = 0
      store.clientBytes = 0
    }
    this.reclaim()
  }

  /** What `client` holds may have changed. */
  weigh(client: Client): void {
    this.setWeight(client, client.closing || !counts(client) ? 0 : heldBytes(client))
  }

  /** `client` has ended. */
  forget(client: Client): void {
    this.setWeight(client, 0)
  }

  private setWeight(client: Client, bytes: number): void {
    this.services.store.clientBytes += bytes - client.weighedBytes
    client.weighedBytes = bytes
  }

  /** Ends the clients that hold most until all together hold no more than `maxmemory-clients`, idle connections included. */
  reclaim(): void {
    const { clients, stats, store } = this.services
    const excess = () => store.clientBytes + clients.byId.size * connectionBytes - this.bytesMax
    if (this.bytesMax === 0 || excess() <= 0) return
    // CLIENT NO-EVICT
    const all = [...clients.byId.values()]
    const candidates = all.filter((client) => !client.noEvict && !client.closing && counts(client))
    candidates.sort((a, b) => b.weighedBytes - a.weighedBytes)
    // Those that are about to be gone take nothing any more.
    const leaving = all.filter((client) => client.closing).length
    let ended = 0
    for (const client of candidates) {
      if (excess() <= (leaving + ended) * connectionBytes) break
      client.outbox.close("now")
      this.forget(client)
      ended++
    }
    stats.clientsEvicted += ended
  }
}
