/** ioredis, versions 5 and 6, as an application uses it, over TCP. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { Redis as Redis5, type RedisOptions } from "ioredis"
import { Redis as Redis6 } from "ioredis6"
import * as LiveServer from "./LiveServer.ts"

type Connect = (port: number, options?: RedisOptions) => Redis5

/** An application has a listener for errors; without one ioredis prints each failed attempt to connect. */
const quiet = <Client extends Redis5 | Redis6>(client: Client): Client => {
  client.on("error", () => {})
  return client
}

// The two have types of their own, alike in all that is used here.
const versions: ReadonlyArray<{ readonly version: number; readonly connect: Connect }> = [
  { version: 5, connect: (port, options = {}) => quiet(new Redis5({ port, ...options })) },
  {
    version: 6,
    connect: (port, options = {}) => quiet(new Redis6({ port, ...(options as object) })) as unknown as Redis5,
  },
]

describe.each(versions)("ioredis $version", ({ connect }) => {
  let server: LiveServer.LiveServer
  let redis: Redis5
  beforeAll(async () => {
    server = await LiveServer.start()
    redis = connect(server.port)
  })
  beforeEach(() => redis.flushall())
  afterAll(async () => {
    await redis.quit()
    await server.stop()
  })

  it("sends single commands, and gets null, numbers, objects and errors", async () => {
    expect(await redis.set("k", "v", "EX", 10)).toBe("OK")
    expect([await redis.get("k"), await redis.get("none"), await redis.ttl("k")]).toEqual(["v", null, 10])
    await redis.hset("h", { a: 1, b: "two" })
    expect(await redis.hgetall("h")).toEqual({ a: "1", b: "two" })
    expect(await redis.zadd("z", 1.5, "a", 2, "b")).toBe(2)
    expect(await redis.zrange("z", 0, -1, "WITHSCORES")).toEqual(["a", "1.5", "b", "2"])
    expect(await redis.incrbyfloat("f", 0.1)).toBe("0.1")
    await expect(redis.lpush("k", "x")).rejects.toThrow(
      "WRONGTYPE Operation against a key holding the wrong kind of value",
    )
  })

  it("keeps every byte of a buffer", async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    await redis.set(bytes, Buffer.concat([bytes, bytes]))
    expect(await redis.getBuffer(bytes)).toEqual(Buffer.concat([bytes, bytes]))
    expect(await redis.keysBuffer("*")).toEqual([bytes])
    await redis.rpush("list", bytes)
    expect(await redis.lindexBuffer("list", 0)).toEqual(bytes)
    await redis.set("text", "żółć 漢字 🙂")
    expect(await redis.get("text")).toBe("żółć 漢字 🙂")
  })

  it("sends pipelines of thousands of commands", async () => {
    const pipeline = redis.pipeline()
    for (let i = 0; i < 5000; i++) pipeline.incr("n").lpush("n", "x")
    const results = await pipeline.exec()
    expect(results).toHaveLength(10_000)
    expect(results![9998]).toEqual([null, 5000])
    expect(results![9999]![0]).toMatchObject({ message: expect.stringMatching(/^WRONGTYPE/) })
  })

  it("runs transactions, and WATCH makes one fail", async () => {
    expect(await redis.multi().set("a", 1).incr("a").get("a").exec()).toEqual([
      [null, "OK"],
      [null, 2],
      [null, "2"],
    ])
    const other = connect(server.port)
    await redis.watch("a")
    await other.set("a", 9)
    expect(await redis.multi().incr("a").exec()).toBeNull()
    expect(await redis.multi().set("s", "x").incr("s").exec()).toMatchObject([
      [null, "OK"],
      [{ message: "ERR value is not an integer or out of range" }],
    ])
    await other.quit()
  })

  it("publishes and subscribes, by channel and by pattern", async () => {
    const subscriber = connect(server.port)
    const { put, take } = LiveServer.mailbox<ReadonlyArray<string>>()
    subscriber.on("message", (...message) => put(message))
    subscriber.on("pmessage", (...message) => put(message))
    expect(await subscriber.subscribe("news", "weather")).toBe(2)
    expect(await subscriber.psubscribe("w*")).toBe(3)
    expect(await redis.publish("news", "one")).toBe(1)
    expect(await redis.publish("weather", "two")).toBe(2)
    expect([await take(), await take(), await take()]).toEqual([
      ["news", "one"],
      ["weather", "two"],
      ["w*", "weather", "two"],
    ])
    expect(await subscriber.unsubscribe("news", "weather")).toBe(1)
    expect(await subscriber.punsubscribe("w*")).toBe(0)
    expect(await subscriber.get("k")).toBeNull()
    await subscriber.quit()
  })

  it("waits for lists, sorted sets and streams", async () => {
    const waiting = connect(server.port)
    const popped = waiting.blpop("a", "b", 0)
    await redis.rpush("b", "1")
    expect(await popped).toEqual(["b", "1"])
    const least = waiting.bzpopmin("z", 0)
    await redis.zadd("z", 3, "m")
    expect(await least).toEqual(["z", "m", "3"])
    const entries = waiting.xread("BLOCK", 0, "STREAMS", "s", "$")
    await waitForBlocked(redis)
    await redis.xadd("s", "1-1", "f", "v")
    expect(await entries).toEqual([["s", [["1-1", ["f", "v"]]]]])
    expect(await waiting.blpop("a", 0.01)).toBeNull()
    await waiting.quit()
  })

  it("walks through keys and collections with its scan streams", async () => {
    const count = 3000
    await redis.mset(Object.fromEntries(Array.from({ length: count }, (_, i) => [`key:${i}`, i])))
    await redis.hset("hash", Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, i])))
    await redis.sadd("set", ...Array.from({ length: count }, (_, i) => `m${i}`))
    const found = async (stream: AsyncIterable<ReadonlyArray<string>>) => {
      const all = new Set<string>()
      for await (const batch of stream) for (const each of batch) all.add(each)
      return all.size
    }
    expect(await found(redis.scanStream({ match: "key:*", count: 100 }))).toBe(count)
    expect(await found(redis.sscanStream("set"))).toBe(count)
    expect(await found(redis.hscanStream("hash", { match: "f1*" }))).toBeGreaterThan(1000)
  })

  it("runs scripts by EVALSHA with EVAL behind it", async () => {
    redis.defineCommand("addTo", { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" })
    const { addTo } = redis as unknown as { addTo: (key: string, amount: number) => Promise<number> }
    expect(await addTo.call(redis, "n", 5)).toBe(5)
    await redis.script("FLUSH")
    expect(await addTo.call(redis, "n", 5)).toBe(10)
    expect(await redis.eval("return {KEYS[1], ARGV[1], 3, false}", 1, "k", "a")).toEqual(["k", "a", 3, null])
    await expect(redis.eval("return redis.error_reply('MY error')", 0)).rejects.toThrow("MY error")
  })

  it("monitors", async () => {
    const { put, take } = LiveServer.mailbox<ReadonlyArray<string>>()
    const monitor = await connect(server.port).monitor()
    monitor.on("monitor", (_time: string, argv: ReadonlyArray<string>) => put(argv))
    await redis.set("k", "a b")
    expect(await take()).toEqual(["set", "k", "a b"])
    monitor.disconnect()
  })

  it("comes back when the server restarts, with its database, its name and its subscriptions", async () => {
    const own = await LiveServer.start()
    const options = { db: 3, connectionName: "app", retryStrategy: () => 20, maxRetriesPerRequest: null }
    const [client, subscriber] = [connect(own.port, options), connect(own.port, options)]
    const { put, take } = LiveServer.mailbox<string>()
    subscriber.on("message", (_channel: string, message: string) => put(message))
    await subscriber.subscribe("news")
    await client.set("k", "1")
    const gone = new Promise((resolve) => subscriber.once("close", resolve))
    const again = new Promise<void>((resolve) => subscriber.once("ready", resolve))
    await own.stop()
    await gone
    const waiting = client.set("k", "2")
    const next = await LiveServer.start({ port: own.port })
    expect(await waiting).toBe("OK")
    expect(await client.client("GETNAME")).toBe("app")
    await again
    // It subscribes again once it is ready.
    await expect.poll(() => client.publish("news", "hello")).toBe(1)
    expect(await take()).toBe("hello")
    await client.select(0)
    expect(await client.get("k")).toBeNull()
    client.disconnect()
    subscriber.disconnect()
    await next.stop()
  })
})

const waitForBlocked = async (redis: Redis5): Promise<void> => {
  await expect.poll(() => redis.info("clients")).toContain("blocked_clients:1")
}
