/**
 * A child server under load is killed at a random instant, again and again on the same directory, and after each restart its data is held
 * against what its clients were told.
 *
 * The idea to hold: every client writes numbers that only grow, so one look at a key tells how far the log reached. What was acknowledged
 * is the least that must be there, what was sent the most. With `everysec` only what was acknowledged two seconds before the kill is
 * promised; a transaction is there as a whole or not at all, also one that changes collections which are large enough to be written in
 * pieces; rewrites and snapshots go on meanwhile.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import type { Reply } from "../../src/codec/Reply.ts"
import { chances } from "../support/FailingDisk.ts"
import { connectTcp } from "../support/RealServer.ts"
import type { TestClient } from "../support/TestServer.ts"
import { type Child, kill, sleep, startChild } from "./Child.ts"

export interface RoundsOptions {
  readonly rounds: number
  readonly seed: number
  /** The built server. */
  readonly main: string
  readonly report: (line: string) => void
}

const clientsCount = 4
/** Requests a client has under way at most. */
const pipelineMax = 16
/** What `everysec` may lose. */
const graceMs = 2000

/** What one client has sent and was told, by the numbers of its requests. */
class Ledger {
  readonly name: string
  sent = 0
  acknowledged = 0
  /** For numbers acknowledged of late, when that was. */
  private recent: Array<readonly [number: number, atMs: number]> = []

  constructor(name: string) {
    this.name = name
  }

  acknowledge(number: number): void {
    this.acknowledged = number
    this.recent.push([number, performance.now()])
    if (this.recent.length > 200_000) this.recent = this.recent.slice(100_000)
  }

  /** The greatest number that was acknowledged before `atMs`. */
  before(atMs: number): number {
    let found = 0
    for (const [number, at] of this.recent) if (at < atMs) found = Math.max(found, number)
    return found === 0 ? (this.recent.length === 0 ? this.acknowledged : 0) : found
  }

  /** Goes on from what a restarted server holds. */
  settle(found: number): void {
    this.sent = found
    this.acknowledged = found
    this.recent = [[found, -Infinity]]
  }
}

/** The requests of one number. The reply to the last of them acknowledges it. */
const requestsOf = (name: string, number: number): ReadonlyArray<ReadonlyArray<string>> => {
  const digits = String(number)
  switch (number % 4) {
    case 0:
      return [["MULTI"], ["SET", `${name}:a`, digits], ["SET", `${name}:b`, digits], ["SET", name, digits], ["EXEC"]]
    case 1:
      return [
        ["SET", name, digits],
        ["SET", `${name}:${number % 97}`, "x".repeat(number % 300)],
      ]
    case 2:
      return [["MULTI"], ...largeRequests(name, number), ["SET", name, digits], ["EXEC"]]
    default:
      return [["SET", name, digits]]
  }
}

/** Elements of the large collections: more than are written at once. */
const window = 1500

/** Each collection gets an element more, and from some size on loses its oldest. `number` leaves 2 when divided by 4. */
const largeRequests = (name: string, number: number): ReadonlyArray<ReadonlyArray<string>> => {
  const index = number >> 2
  const digits = String(number)
  return [
    ["HSET", `${name}:hash`, String(index % window), digits],
    ["ZADD", `${name}:zset`, digits, String(index % window)],
    ["SADD", `${name}:set`, `m${index}`],
    ["SREM", `${name}:set`, `m${index - window}`],
    ["RPUSH", `${name}:list`, digits],
    ["LTRIM", `${name}:list`, String(-window), "-1"],
    ["XADD", `${name}:stream`, "MAXLEN", "=", String(window), `${digits}-0`, "n", digits],
  ]
}

/** What the large collections hold after `number`, as `largeContents` has it. */
const largeExpected = (number: number): ReadonlyArray<ReadonlyArray<string>> => {
  const last = (number - 2) >> 2
  const indexes = Array.from({ length: Math.max(0, Math.min(window, last + 1)) }, (_, i) => last - i)
  const numbers = indexes.map((index) => String(4 * index + 2))
  return [
    indexes.map((index, i) => `${index % window} ${numbers[i]}`),
    indexes.map((index, i) => `${index % window} ${numbers[i]}`),
    indexes.map((index) => `m${index}`),
    numbers,
    numbers,
  ].map((elements) => elements.sort())
}

const texts = (reply: Reply): ReadonlyArray<string> =>
  reply._tag === "Array" ? reply.values.flatMap(texts) : reply._tag === "Bulk" ? [reply.value] : []

const pairsOf = (words: ReadonlyArray<string>): ReadonlyArray<string> =>
  words.flatMap((word, i) => (i % 2 === 0 ? [`${word} ${words[i + 1]}`] : []))

const largeContents = async (client: TestClient, name: string): Promise<ReadonlyArray<ReadonlyArray<string>>> => {
  const all = [
    pairsOf(texts(await client.run("HGETALL", `${name}:hash`))),
    pairsOf(texts(await client.run("ZRANGE", `${name}:zset`, "0", "-1", "WITHSCORES"))),
    texts(await client.run("SMEMBERS", `${name}:set`)),
    texts(await client.run("LRANGE", `${name}:list`, "0", "-1")),
    texts(await client.run("XRANGE", `${name}:stream`, "-", "+")).filter((_, i) => i % 3 === 2),
  ]
  return all.map((elements) => [...elements].sort())
}

/** The number that a ledger begins with, by which its collections are large. */
const firstNumber = 4 * (window + 100)

/** Makes what there would be after `firstNumber`. */
const prefill = async (child: Child, ledgers: ReadonlyArray<Ledger>): Promise<void> => {
  const client = await connectTcp(child.port)
  for (const ledger of ledgers) {
    const { name } = ledger
    const replies: Array<Promise<unknown>> = []
    for (let number = 2; number < firstNumber; number += 4) {
      for (const request of largeRequests(name, number)) replies.push(client.run(...request))
    }
    for (const key of [`${name}:a`, `${name}:b`, name]) replies.push(client.run("SET", key, String(firstNumber)))
    await Promise.all(replies)
    ledger.settle(firstNumber)
  }
  client.destroy()
}

/** Writes until the connection ends. */
const write = async (client: TestClient, ledger: Ledger, chance: () => number): Promise<void> => {
  try {
    for (;;) {
      const batch = 1 + Math.floor(chance() * pipelineMax)
      const replies: Array<Promise<readonly [number, Reply]>> = []
      for (let i = 0; i < batch; i++) {
        const number = ++ledger.sent
        const requests = requestsOf(ledger.name, number)
        const answered = requests.map((request) => client.run(...request))
        for (const one of answered) one.catch(() => {})
        replies.push(answered[answered.length - 1]!.then((reply) => [number, reply] as const))
      }
      for (const reply of replies) reply.catch(() => {})
      for (const reply of replies) {
        const [number, answer] = await reply
        if (answer._tag === "Failure") throw new Error(`${answer.code} ${answer.message}`)
        ledger.acknowledge(number)
      }
    }
  } catch (error) {
    if (!String(error).includes("connection")) throw error
  }
}

/** Asks for rewrites and snapshots until the connection ends. */
const disturb = async (client: TestClient, chance: () => number): Promise<void> => {
  try {
    for (;;) {
      await sleep(chance() * 80)
      await client.run("CONFIG", "SET", "aof-use-rdb-preamble", chance() < 0.5 ? "yes" : "no")
      await client.run(chance() < 0.6 ? "BGREWRITEAOF" : "BGSAVE")
    }
  } catch {
    // The server was killed.
  }
}

const number = async (client: TestClient, key: string): Promise<number> => {
  const reply = await client.run("GET", key)
  return reply._tag === "Bulk" ? Number(reply.value) : 0
}

const check = async (
  child: Child,
  ledgers: ReadonlyArray<Ledger>,
  promised: (ledger: Ledger) => number,
): Promise<void> => {
  const client = await connectTcp(child.port)
  for (const ledger of ledgers) {
    const found = await number(client, ledger.name)
    const least = promised(ledger)
    if (found < least) throw new Error(`${ledger.name}: ${found} is there, ${least} was acknowledged`)
    if (found > ledger.sent) throw new Error(`${ledger.name}: ${found} is there, only ${ledger.sent} was sent`)
    const [a, b] = [await number(client, `${ledger.name}:a`), await number(client, `${ledger.name}:b`)]
    const whole = found - (found % 4)
    if (a !== b || a !== whole) throw new Error(`${ledger.name}: half a transaction: ${a} and ${b}, at ${found}`)
    const [large, expected] = [await largeContents(client, ledger.name), largeExpected(found)]
    if (JSON.stringify(large) !== JSON.stringify(expected)) {
      const sizes = [large, expected].map((all) => all.map((elements) => elements.length).join())
      throw new Error(`${ledger.name}: large collections differ at ${found}: ${sizes.join(" for ")} elements`)
    }
    ledger.settle(found)
  }
  client.destroy()
}

/** Runs the rounds; returns how many passed. Throws at the first that does not, with what is needed to see why. */
export const runRounds = async ({ rounds, seed, main, report }: RoundsOptions): Promise<number> => {
  const chance = chances(seed)
  let passed = 0
  for (const policy of ["always", "everysec"] as const) {
    const directory = mkdtempSync(join(tmpdir(), "tiny-redis-crash-"))
    const settings = [
      "--dir",
      directory,
      "--appendonly",
      "yes",
      "--appendfsync",
      policy,
      "--save",
      "",
      "--loglevel",
      "warning",
    ]
    const ledgers = Array.from({ length: clientsCount }, (_, index) => new Ledger(`client${index}`))
    let writes = 0
    let child = await startChild(resolve(main), settings)
    try {
      await prefill(child, ledgers)
      for (let round = 0; round < Math.ceil(rounds / 2); round++) {
        const clients = await Promise.all([...ledgers, undefined].map(() => connectTcp(child.port)))
        const before = ledgers.reduce((sum, ledger) => sum + ledger.acknowledged, 0)
        const work = [
          ...ledgers.map((ledger, index) => write(clients[index]!, ledger, chance)),
          disturb(clients[clientsCount]!, chance),
        ]
        const ended = Promise.all(work)
        ended.catch(() => {})
        await sleep(30 + chance() ** 2 * 900)
        const killedAt = performance.now()
        await kill(child)
        for (const client of clients) client.destroy()
        await ended
        writes += ledgers.reduce((sum, ledger) => sum + ledger.acknowledged, 0) - before
        child = await startChild(resolve(main), settings)
        await check(child, ledgers, (ledger) =>
          policy === "always" ? ledger.acknowledged : ledger.before(killedAt - graceMs),
        )
        passed++
      }
    } catch (error) {
      const kept = readFileSync(join(directory, "appendonlydir", "appendonly.aof.manifest"), "utf8")
      throw new Error(
        `seed ${seed}, appendfsync ${policy}, after ${passed} rounds, files kept in ${directory}\n${kept}${child.output()}`,
        {
          cause: error,
        },
      )
    } finally {
      await kill(child)
    }
    rmSync(directory, { recursive: true, force: true })
    report(`appendfsync ${policy}: ${Math.ceil(rounds / 2)} kills, ${writes} acknowledged writes`)
  }
  return passed
}
