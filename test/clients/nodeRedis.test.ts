/** node-redis, in both protocol versions, as an application uses it, over TCP. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { BasicClientSideCache, createClient, createClientPool, RESP_TYPES } from "redis"
import * as LiveServer from "./LiveServer.ts"

const connect = async (port: number, RESP: 2 | 3) => {
  const client = createClient({ RESP, socket: { port, host: "127.0.0.1", reconnectStrategy: 20 } })
  client.on("error", () => {})
  await client.connect()
  return client
}

describe.each([{ RESP: 2 as const }, { RESP: 3 as const }])("node-redis with RESP$RESP", ({ RESP }) => {
  let server: LiveServer.LiveServer
  let redis: Awaited<ReturnType<typeof connect>>
  beforeAll(async () => {
    server = await LiveServer.start()
    redis = await connect(server.port, RESP)
  })
  beforeEach(async () => void (await redis.flushAll()))
  afterAll(async () => {
    await redis.close()
    await server.stop()
  })

  it("sends single commands, and gets what their types promise", async () => {
    expect(await redis.set("k", "v", { expiration: { type: "EX", value: 10 } })).toBe("OK")
    expect([await redis.get("k"), await redis.get("none"), await redis.ttl("k")]).toEqual(["v", null, 10])
    await redis.hSet("h", { a: 1, b: "two" })
    expect({ ...(await redis.hGetAll("h")) }).toEqual({ a: "1", b: "two" })
    await redis.zAdd("z", [
      { score: 1.5, value: "a" },
      { score: Number.POSITIVE_INFINITY, value: "b" },
    ])
    expect(await redis.zRangeWithScores("z", 0, -1)).toEqual([
      { value: "a", score: 1.5 },
      { value: "b", score: Number.POSITIVE_INFINITY },
    ])
    expect([...(await redis.sMembers("none"))]).toEqual([])
    await expect(redis.lPush("k", "x")).rejects.toThrow(
      "WRONGTYPE Operation against a key holding the wrong kind of value",
    )
  })

  it("keeps every byte of a buffer", async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    const binary = redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
    await redis.set(bytes, bytes)
    expect(await binary.get(bytes)).toEqual(bytes)
    expect(await binary.keys("*")).toEqual([bytes])
  })

  it("sends what is asked for in one go as one pipeline", async () => {
    const replies = await Promise.all(Array.from({ length: 5000 }, () => redis.incr("n")))
    expect(replies).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1))
  })

  it("runs transactions, and WATCH makes one fail", async () => {
    expect(await redis.multi().set("a", "1").incr("a").get("a").exec()).toEqual(["OK", 2, "2"])
    const other = await connect(server.port, RESP)
    await redis.watch("a")
    await other.set("a", "9")
    await expect(redis.multi().incr("a").exec()).rejects.toThrow("One (or more) of the watched keys has been changed")
    await other.close()
  })

  it("publishes and subscribes, by channel, pattern and shard", async () => {
    const subscriber = await connect(server.port, RESP)
    const { put, take } = LiveServer.mailbox<ReadonlyArray<string>>()
    const listener = (message: string, channel: string) => put([channel, message])
    await subscriber.subscribe("news", listener)
    await subscriber.pSubscribe("w*", listener)
    await subscriber.sSubscribe("shard", listener)
    expect(await redis.publish("news", "one")).toBe(1)
    expect(await redis.publish("weather", "two")).toBe(1)
    expect(await redis.sPublish("shard", "three")).toBe(1)
    expect([await take(), await take(), await take()]).toEqual([
      ["news", "one"],
      ["weather", "two"],
      ["shard", "three"],
    ])
    await subscriber.unsubscribe()
    await subscriber.pUnsubscribe()
    await subscriber.sUnsubscribe()
    expect(await subscriber.get("k")).toBeNull()
    await subscriber.close()
  })

  it("waits for lists, sorted sets and streams, from a pool of connections", async () => {
    const pool = createClientPool({ RESP, socket: { port: server.port, host: "127.0.0.1" } })
    await pool.connect()
    const popped = pool.blPop(["a", "b"], 0)
    await redis.rPush("b", "1")
    expect(await popped).toEqual({ key: "b", element: "1" })
    const least = pool.bzPopMin("z", 0)
    await redis.zAdd("z", { score: 3, value: "m" })
    expect(await least).toEqual({ key: "z", value: "m", score: 3 })
    await redis.xGroupCreate("s", "g", "$", { MKSTREAM: true })
    const entries = pool.xReadGroup("g", "me", { key: "s", id: ">" }, { BLOCK: 0 })
    await redis.xAdd("s", "1-1", { f: "v" })
    expect(JSON.stringify(await entries)).toContain('"1-1"')
    expect(await pool.blPop("a", 0.01)).toBeNull()
    await pool.close()
  })

  it("walks through keys and collections with its iterators", async () => {
    const count = 3000
    await redis.mSet(Object.fromEntries(Array.from({ length: count }, (_, i) => [`key:${i}`, `${i}`])))
    await redis.hSet("hash", Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, `${i}`])))
    await redis.zAdd(
      "zset",
      Array.from({ length: count }, (_, score) => ({ score, value: `m${score}` })),
    )
    const found = async (batches: AsyncIterable<ReadonlyArray<unknown>>) => {
      const all = new Set<string>()
      for await (const batch of batches) for (const each of batch) all.add(JSON.stringify(each))
      return all.size
    }
    expect(await found(redis.scanIterator({ MATCH: "key:*", COUNT: 100 }))).toBe(count)
    expect(await found(redis.hScanIterator("hash"))).toBe(count)
    expect(await found(redis.zScanIterator("zset"))).toBe(count)
  })

  it("runs scripts and functions", async () => {
    expect(await redis.eval("return {KEYS[1], ARGV[1], 3}", { keys: ["k"], arguments: ["a"] })).toEqual(["k", "a", 3])
    const sha = await redis.scriptLoad("return redis.call('INCR', KEYS[1])")
    expect([await redis.evalSha(sha, { keys: ["n"] }), await redis.evalSha(sha, { keys: ["n"] })]).toEqual([1, 2])
    const code = "#!lua name=lib\nredis.register_function('double', function(keys, args) return args[1] * 2 end)"
    expect(await redis.functionLoad(code, { REPLACE: true })).toBe("lib")
    expect(await redis.fCall("double", { keys: [], arguments: ["21"] })).toBe(42)
  })

  it("comes back when the server restarts, and subscribes again", async () => {
    const own = await LiveServer.start()
    const [client, subscriber] = [await connect(own.port, RESP), await connect(own.port, RESP)]
    const { put, take } = LiveServer.mailbox<string>()
    await subscriber.subscribe("news", put)
    await own.stop()
    const next = await LiveServer.start({ port: own.port })
    expect(await client.set("k", "1")).toBe("OK")
    await expect.poll(() => client.publish("news", "hello")).toBe(1)
    expect(await take()).toBe("hello")
    client.destroy()
    subscriber.destroy()
    await next.stop()
  })
})

describe("node-redis with a client-side cache", () => {
  it("reads a key once, until somebody changes it, it expires, or all is flushed", async () => {
    const server = await LiveServer.start()
    const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 100 })
    const cached = createClient({
      RESP: 3,
      socket: { port: server.port, host: "127.0.0.1" },
      clientSideCache: cache,
    })
    await cached.connect()
    const other = await connect(server.port, 3)
    await other.set("k", "1")
    for (let i = 0; i < 3; i++) expect(await cached.get("k")).toBe("1")
    expect(cache.stats()).toMatchObject({ hitCount: 2, missCount: 1 })
    const expire = async () => {
      await other.pExpire("k", 5)
      await expect.poll(() => other.get("k")).toBeNull()
    }
    for (const change of [() => other.set("k", "2"), expire, () => other.flushAll()]) {
      await cached.get("k")
      await change()
      // The message overtakes nothing: what is asked after it has arrived is read anew.
      const expected = await other.get("k")
      await expect.poll(() => cached.get("k")).toBe(expected)
    }
    await expect.poll(() => cached.get("k")).toBeNull()
    cached.destroy()
    await other.close()
    await server.stop()
  })
})
