/**
 * The promise of SCAN, SSCAN, HSCAN and ZSCAN: what is there from the first call to the last is met, whatever others add and
 * remove between the calls, and what was never there is not. Through the server, for small and large values; the structures
 * have laws of their own. Options are held to what redis-server 7.0.15 answers in the transcripts.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import type * as Reply from "../src/codec/Reply.ts"
import { connect, type TestClient, withServer } from "./support/TestServer.ts"

interface Scanned {
  readonly name: string
  /** The request of one call from `cursor`. */
  readonly scan: (cursor: string) => ReadonlyArray<string>
  readonly add: (element: string) => ReadonlyArray<string>
  readonly remove: (element: string) => ReadonlyArray<string>
  /** Items of a reply that belong to one element. */
  readonly each: number
}

const scanned: ReadonlyArray<Scanned> = [
  {
    name: "SCAN",
    scan: (cursor) => ["SCAN", cursor],
    add: (element) => ["SET", element, "v"],
    remove: (element) => ["DEL", element],
    each: 1,
  },
  {
    name: "SSCAN",
    scan: (cursor) => ["SSCAN", "k", cursor],
    add: (element) => ["SADD", "k", element],
    remove: (element) => ["SREM", "k", element],
    each: 1,
  },
  {
    name: "HSCAN",
    scan: (cursor) => ["HSCAN", "k", cursor],
    add: (element) => ["HSET", "k", element, "v"],
    remove: (element) => ["HDEL", "k", element],
    each: 2,
  },
  {
    name: "ZSCAN",
    scan: (cursor) => ["ZSCAN", "k", cursor],
    add: (element) => ["ZADD", "k", String(element.length), element],
    remove: (element) => ["ZREM", "k", element],
    each: 2,
  },
]

/** The cursor and the items of one reply. */
const read = (reply: Reply.Reply): { readonly cursor: string; readonly items: ReadonlyArray<string> } => {
  if (reply._tag !== "Array") throw new Error(`not a reply to a scan: ${JSON.stringify(reply)}`)
  const [cursor, items] = reply.values
  if (cursor?._tag !== "Bulk" || items?._tag !== "Array") throw new Error(`no page: ${JSON.stringify(reply)}`)
  return { cursor: cursor.value, items: items.values.map((item) => (item._tag === "Bulk" ? item.value : item._tag)) }
}

/** What comes and goes between two calls: elements by number, those that stay excluded. */
const turmoil = fc.array(fc.record({ add: fc.boolean(), from: fc.nat(400), count: fc.integer({ min: 1, max: 120 }) }), {
  maxLength: 12,
})

const plan = fc.record({
  stays: fc.integer({ min: 0, max: 300 }),
  passing: fc.integer({ min: 0, max: 300 }),
  count: fc.constantFrom(1, 3, 10, 100),
  turmoil,
})

const stay = (index: number): string => `stay:${index}`
const pass = (index: number): string => `pass:${index}`
const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => i)

const all = (client: TestClient, requests: ReadonlyArray<ReadonlyArray<string>>): Promise<ReadonlyArray<Reply.Reply>> =>
  Promise.all(requests.map((request) => client.run(...request)))

const callsMax = 5000

const meetsWhatStays = async (
  scanner: TestClient,
  other: TestClient,
  one: Scanned,
  drawn: typeof plan extends fc.Arbitrary<infer P> ? P : never,
) => {
  await scanner.run("FLUSHALL")
  // What stays and what passes lie mixed, so that removals move what stays.
  const first = numbers(Math.max(drawn.stays, drawn.passing)).flatMap((i) => [
    ...(i < drawn.passing ? [pass(i)] : []),
    ...(i < drawn.stays ? [stay(i)] : []),
  ])
  await all(other, first.map(one.add))
  const met: Array<string> = []
  let cursor = "0"
  let calls = 0
  do {
    const page = read(await scanner.run(...one.scan(cursor), "COUNT", String(drawn.count)))
    met.push(...page.items.filter((_, i) => i % one.each === 0))
    cursor = page.cursor
    const step = drawn.turmoil[calls]
    if (step !== undefined) {
      const elements = numbers(step.count).map((i) => pass(step.from + i))
      await all(other, elements.map(step.add ? one.add : one.remove))
    }
    expect(++calls).toBeLessThan(callsMax)
  } while (cursor !== "0")
  const seen = new Set(met)
  expect(numbers(drawn.stays).filter((i) => !seen.has(stay(i)))).toEqual([])
  expect(met.filter((element) => !/^(stay|pass):\d+$/.test(element))).toEqual([])
}

describe("what is there from the first call to the last is met, whatever comes and goes", () => {
  for (const keyspace of ["map", "bytes"] as const) {
    for (const one of scanned.filter(({ name }) => keyspace === "map" || name === "SCAN")) {
      it.effect(
        `by ${one.name}, keys as ${keyspace}`,
        () =>
          withServer(
            (scanner) =>
              Effect.flatMap(connect, (other) =>
                Effect.promise(() =>
                  fc.assert(
                    fc.asyncProperty(plan, (drawn) => meetsWhatStays(scanner, other, one, drawn)),
                    { numRuns: 12 },
                  ),
                ),
              ),
            { keyspace },
          ),
        30_000,
      )
    }
  }
})

/** The elements that a whole scan with these options meets, in order. */
const scanAll = async (
  client: TestClient,
  one: Scanned,
  ...options: ReadonlyArray<string>
): Promise<ReadonlyArray<string>> => {
  const met: Array<string> = []
  let cursor = "0"
  do {
    const page = read(await client.run(...one.scan(cursor), ...options))
    met.push(...page.items.filter((_, i) => i % one.each === 0))
    cursor = page.cursor
  } while (cursor !== "0")
  return [...new Set(met)].sort()
}

describe("the options of a scan", () => {
  for (const one of scanned) {
    it.effect(`MATCH and any COUNT choose the same elements in ${one.name}`, () =>
      withServer((client) =>
        Effect.promise(async () => {
          await all(
            client,
            numbers(500).map((i) => one.add(stay(i))),
          )
          const wanted = numbers(500)
            .map(stay)
            .filter((element) => /^stay:\d7$/.test(element))
            .sort()
          for (const count of ["1", "7", "1000", "9223372036854775807"]) {
            expect(await scanAll(client, one, "MATCH", "stay:?7", "COUNT", count)).toEqual(wanted)
          }
          expect(await scanAll(client, one, "COUNT", "3")).toEqual(numbers(500).map(stay).sort())
          expect(await client.run(...one.scan("0"), "COUNT", "0")).toMatchObject({
            _tag: "Failure",
            message: "syntax error",
          })
          expect(await client.run(...one.scan("x"))).toMatchObject({ _tag: "Failure", message: "invalid cursor" })
        }),
      ),
    )
  }

  it.effect("TYPE chooses keys by what they hold, and nothing where no such type is", () =>
    withServer((client) =>
      Effect.promise(async () => {
        const keys = scanned[0]!
        await all(
          client,
          numbers(60).map((i) => ["SET", stay(i), "v"]),
        )
        await all(client, [
          ["RPUSH", "l", "a"],
          ["SADD", "s", "a"],
          ["HSET", "h", "f", "v"],
          ["ZADD", "z", "1", "a"],
          ["XADD", "x", "*", "f", "v"],
        ])
        for (const [type, key] of [
          ["list", "l"],
          ["set", "s"],
          ["hash", "h"],
          ["zset", "z"],
          ["stream", "x"],
        ] as const) {
          expect(await scanAll(client, keys, "TYPE", type)).toEqual([key])
        }
        expect(await scanAll(client, keys, "TYPE", "STRING", "MATCH", "*")).toHaveLength(60)
        expect(await scanAll(client, keys, "TYPE", "nothing")).toEqual([])
      }),
    ),
  )
})
