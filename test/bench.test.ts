/**
 * The parts of the benchmark that compute: a wrong median or a reply cut at the wrong byte would make every figure wrong
 * without looking so. The measurements themselves are not tests; a short form runs in `.ci/run`.
 */
import { createServer, type Server } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Client, infoNumber, request } from "./bench/Client.ts"
import { standardTests } from "./bench/Load.ts"
import { comparison, cpuRatioAt, speedReport, table } from "./bench/Report.ts"
import type { Figures, Row } from "./bench/Speed.ts"
import { ownWaits } from "./bench/Stall.ts"
import { geometricMean, growthExponent, percentile, spread } from "./bench/Statistics.ts"

describe("statistics", () => {
  it("the median of an even number of values lies between the middle two", () => {
    expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, least: 1, most: 4 })
    expect(spread([3])).toEqual({ median: 3, least: 3, most: 3 })
  })

  it("a geometric mean of ratios treats twice and half alike", () => {
    expect(geometricMean([2, 0.5])).toBeCloseTo(1)
  })

  it("a percentile is a value that was measured", () => {
    const values = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect([percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)]).toEqual([50, 99, 100])
    expect(percentile([], 0.5)).toBeNaN()
  })

  it.each([
    ["constant", () => 3, 0],
    ["linear", (n: number) => 2 * n, 1],
    ["quadratic", (n: number) => n * n, 2],
  ] as const)("finds the exponent of %s growth", (_, cost, exponent) => {
    expect(growthExponent([1000, 4000, 16000].map((n) => [n, cost(n)] as const))).toBeCloseTo(exponent)
  })
})

describe("waits", () => {
  it("are less by what the machine kept a processor from one of the two, and by no more", () => {
    const samples = [
      { atMs: 0, server: 5, own: 1 },
      { atMs: 10, server: 5, own: 1 },
      { atMs: 30, server: 17, own: 5 },
      { atMs: 40, server: 17, own: 30 },
    ]
    const waits = [
      { dueMs: 1, ms: 2 },
      { dueMs: 10, ms: 19 },
      { dueMs: 31, ms: 1 },
      { dueMs: 32, ms: 50 },
    ]
    expect(ownWaits(waits, samples)).toEqual([2, 7, 0, 25])
  })
})

describe("the client", () => {
  const replies = [
    "+OK\r\n",
    "$5\r\na\r\nbc\r\n",
    "*2\r\n$-1\r\n*2\r\n:1\r\n*0\r\n",
    "%1\r\n+k\r\n~1\r\n_\r\n",
    "-ERR no\r\n",
  ]
  let server: Server
  let port = 0

  beforeAll(async () => {
    server = createServer({ noDelay: true }, (socket) => {
      socket.once("data", async () => {
        for (const byte of replies.join("")) {
          socket.write(byte)
          await new Promise((done) => setImmediate(done))
        }
      })
      socket.on("error", () => {})
    })
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
    const address = server.address()
    port = typeof address === "object" && address !== null ? address.port : 0
  })
  afterAll(() => new Promise((done) => server.close(done)))

  it("finds the end of every kind of reply, however the bytes are split", async () => {
    const client = await Client.connect({ host: "127.0.0.1", port })
    expect(await client.send(replies.map(() => ["PING"]))).toEqual(replies)
    client.close()
  })

  it("writes a request as an array of bulk strings", () => {
    expect(request(["GET", "k"])).toBe("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
  })

  it("reads a field of INFO and not one that merely ends like it", () => {
    const info = "$40\r\nmaxmemory:7\r\nused_memory:12345\r\nmemory:3\r\n"
    expect([infoNumber(info, "used_memory"), infoNumber(info, "memory"), infoNumber(info, "other")]).toEqual([
      12345,
      3,
      undefined,
    ])
  })
})

describe("the report", () => {
  const even = (value: number) => ({ median: value, least: value, most: value })
  const figures = (perSecond: number, micros: number): Figures => ({
    requestsPerSecond: even(perSecond),
    cpuMicros: even(micros),
    p50Ms: 0.1,
    p99Ms: 0.2,
    p999Ms: 0.3,
  })
  const row = (test: string, cpuRatio: number): Row => ({
    test,
    pipeline: 1,
    rounds: 1,
    servers: { ours: figures(50_000, 10 * cpuRatio), redis: figures(100_000, 10), floor: figures(90_000, 8) },
    throughputRatio: even(0.5),
    cpuRatio: even(cpuRatio),
  })

  it("names the worst test and the means that budgets speak of", () => {
    const report = speedReport([row("SET", 2), row("GET", 0.5)])
    expect(report).toContain("geometric mean: P1 1.00; worst 2.00 (SET P1)")
    expect(report).toContain("geometric mean: 0.50; worst 0.50")
    expect(cpuRatioAt([row("SET", 2), row("GET", 0.5)], 1)).toBeCloseTo(1)
  })

  it("shows what changed, and doubts a change within the spread", () => {
    const before = { when: "then", machine: "here", versions: {}, command: "", rows: [row("SET", 2), row("GET", 1)] }
    const lines = comparison(before, [row("SET", 1), row("GET", 1)]).split("\n")
    expect(lines.find((line) => line.startsWith("SET"))).toMatch(/2\.00\s+1\.00\s+-50%\s+0\.50/)
    expect(lines.find((line) => line.startsWith("GET"))).toMatch(/0% \?/)
  })

  it("aligns numbers to the right", () => {
    expect(
      table(
        ["a", "b"],
        [
          ["long", "1"],
          ["x", "100"],
        ],
      ),
    ).toBe("a       b\n----  ---\nlong    1\nx     100")
  })
})

it("every standard test of redis-benchmark is there once, in its order", () => {
  expect(standardTests.map((test) => test.name).join(" ")).toBe(
    "PING_INLINE PING_MBULK SET GET INCR LPUSH RPUSH LPOP RPOP SADD HSET SPOP ZADD ZPOPMIN " +
      "LRANGE_100 LRANGE_300 LRANGE_500 LRANGE_600 MSET",
  )
})
