/**
 * The fuzzer for conversations: several connections at once, with MULTI, WATCH, blocking commands and UNBLOCK, to a server of ours
 * and to redis-server. What each connection receives, and when, must be the same.
 *
 * The idea to hold: after each request the servers are asked whether its client is blocked now; only then the next request
 * goes out. So both see the same order of requests, and nothing is a race.
 */
import * as fc from "fast-check"
import type { TestClient } from "../support/TestServer.ts"
import { formatReply } from "../support/Transcript.ts"
import { argv, key, maybe } from "./Fuzz.ts"

/** One request on one of the connections. */
interface Turn {
  readonly connection: number
  readonly request: ReadonlyArray<string>
}

const connections = 4
const element = fc.constantFrom("x", "y", "z", "1")
const side = fc.constantFrom("LEFT", "RIGHT")
const list = fc.constantFrom("l1", "l2", "l3")
const zset = fc.constantFrom("z1", "z2")
const anyKey = fc.oneof(list, zset, key)

const request = fc.oneof(
  argv("RPUSH", list, element, maybe(element)),
  argv("LPUSH", list, element),
  argv("LPOP", list),
  argv("RPOPLPUSH", list, list),
  argv("LRANGE", list, "0", "-1"),
  argv("ZADD", zset, fc.integer({ min: 0, max: 9 }).map(String), element),
  argv("ZPOPMIN", zset),
  argv("ZRANGE", zset, "0", "-1", "WITHSCORES"),
  argv("SET", anyKey, element),
  argv("GET", key),
  argv("INCR", key),
  argv("DEL", anyKey),
  argv("RENAME", anyKey, anyKey),
  argv("EXISTS", anyKey),
  argv("BLPOP", list, maybe(list), "0"),
  argv("BRPOP", list, maybe(list), "0"),
  argv("BLMOVE", list, list, side, side, "0"),
  argv("BRPOPLPUSH", list, list, "0"),
  argv("BLMPOP", "0", "2", list, list, side, maybe("COUNT", "2")),
  argv("BZPOPMIN", zset, maybe(zset), "0"),
  argv("BZPOPMAX", zset, "0"),
  argv("BZMPOP", "0", "1", zset, fc.constantFrom("MIN", "MAX")),
  argv("MULTI"),
  argv("EXEC"),
  argv("EXEC"),
  argv("DISCARD"),
  argv("WATCH", anyKey),
  argv("UNWATCH"),
)

const turn: fc.Arbitrary<Turn> = fc.record({ connection: fc.nat(connections - 1), request })

/** One server, with a connection to look at it and those that take turns. */
class Side {
  readonly #control: TestClient
  readonly #clients: ReadonlyArray<{ readonly client: TestClient; readonly id: string }>

  private constructor(
    control: TestClient,
    clients: ReadonlyArray<{ readonly client: TestClient; readonly id: string }>,
  ) {
    this.#control = control
    this.#clients = clients
  }

  static async open(connect: () => Promise<TestClient>): Promise<Side> {
    const control = await connect()
    const clients: Array<{ readonly client: TestClient; readonly id: string }> = []
    for (let i = 0; i < connections; i++) {
      const client = await connect()
      clients.push({
        client,
        id: formatReply(await client.run("CLIENT", "ID"))
          .join("")
          .slice(1),
      })
    }
    await control.run("FLUSHALL")
    return new Side(control, clients)
  }

  async isBlocked(index: number): Promise<boolean> {
    const line = formatReply(await this.#control.run("CLIENT", "LIST", "ID", this.#clients[index]!.id)).join("")
    return /flags=\w*b/.test(line)
  }

  /** Sends a request and waits until it is answered or its client blocks; returns all that has arrived, by connection. */
  async take({ connection, request }: Turn): Promise<string> {
    const { client } = this.#clients[connection]!
    client.send(...request)
    while (client.arrived().length === 0 && !(await this.isBlocked(connection))) await this.#control.run("PING")
    return this.drain()
  }

  async drain(): Promise<string> {
    // Whoever was served meanwhile has its reply before this one comes.
    await this.#control.run("PING")
    await new Promise((resolve) => setImmediate(resolve))
    const lines: Array<string> = []
    for (const [i, { client }] of this.#clients.entries()) {
      while (client.arrived().length > 0) lines.push(`${i}: ${formatReply(await client.receive()).join(" ")}`)
    }
    return lines.join("\n")
  }

  async end(): Promise<string> {
    for (const { id } of this.#clients) await this.#control.run("CLIENT", "UNBLOCK", id, "ERROR")
    const last = await this.drain()
    for (const { client } of this.#clients) client.destroy()
    this.#control.destroy()
    return last
  }
}

export interface Options {
  readonly seed: number
  readonly commands: number
  readonly ours: () => Promise<TestClient>
  readonly theirs: () => Promise<TestClient>
}

const turnsPerCase = 40

/** Throws with the counterexample when the servers differ. */
export const compareConversations = ({ seed, commands, ours, theirs }: Options): Promise<void> =>
  fc.assert(
    fc.asyncProperty(fc.array(turn, { minLength: 1, maxLength: 2 * turnsPerCase }), async (turns) => {
      const mine = await Side.open(ours)
      const real = await Side.open(theirs)
      const transcript: Array<string> = []
      try {
        for (const one of turns) {
          // A parked connection takes no turn; the other side would say so in its next reply.
          if (await real.isBlocked(one.connection)) continue
          const [actual, expected] = [await mine.take(one), await real.take(one)]
          transcript.push(`${one.connection}> ${one.request.join(" ")}`, expected)
          if (actual !== expected) throw new Error(`replies differ\n${transcript.join("\n")}\nbut ours were\n${actual}`)
        }
      } finally {
        const [actual, expected] = [await mine.end(), await real.end()]
        if (actual !== expected) transcript.push(`at the end: ${expected}\nbut ours were\n${actual}`)
      }
      if (transcript.at(-1)?.startsWith("at the end") === true)
        throw new Error(`replies differ\n${transcript.join("\n")}`)
    }),
    { seed, numRuns: Math.max(1, Math.round(commands / turnsPerCase)) },
  )
