/**
 * Libraries that keep their state in Redis, used as their documentation shows, against this server: the Socket.IO adapters,
 * connect-redis, Keyv, and Effect's own Redis-backed modules.
 */
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as PersistedCache from "@effect/experimental/PersistedCache"
import * as PersistedQueue from "@effect/experimental/PersistedQueue"
import * as PersistedQueueRedis from "@effect/experimental/PersistedQueue/Redis"
import * as PersistenceRedis from "@effect/experimental/Persistence/Redis"
import * as RateLimiter from "@effect/experimental/RateLimiter"
import * as RateLimiterRedis from "@effect/experimental/RateLimiter/Redis"
import KeyvRedis from "@keyv/redis"
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter"
import { RedisStore } from "connect-redis"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as PrimaryKey from "effect/PrimaryKey"
import * as Schema from "effect/Schema"
import express from "express"
import session from "express-session"
import Keyv from "keyv"
import { createClient } from "redis"
import { Server as SocketServer } from "socket.io"
import { io as connectSocket } from "socket.io-client"
import * as LiveServer from "./LiveServer.ts"

let server: LiveServer.LiveServer
let url: string
beforeAll(async () => {
  server = await LiveServer.start()
  url = `redis://127.0.0.1:${server.port}`
})
afterAll(() => server.stop())

const connected = async (RESP: 2 | 3 = 2) => {
  const client = createClient({ url, RESP })
  await client.connect()
  return client
}

describe.each([{ adapter: "pub/sub" }, { adapter: "sharded pub/sub" }])("Socket.IO over $adapter", ({ adapter }) => {
  /** One of several processes that share their rooms through Redis. */
  const node = async () => {
    const [pubClient, subClient] = [await connected(), await connected()]
    const httpServer = createServer()
    const io = new SocketServer(httpServer, {
      adapter: adapter === "pub/sub" ? createAdapter(pubClient, subClient) : createShardedAdapter(pubClient, subClient),
    })
    io.on("connection", (socket) => {
      socket.on("join", async (room: string, done: () => void) => {
        await socket.join(room)
        done()
      })
      socket.on("ask", (done: (answer: string) => void) => done("answer"))
    })
    httpServer.listen(0, "127.0.0.1")
    await once(httpServer, "listening")
    const { port } = httpServer.address() as AddressInfo
    return {
      io,
      connect: async () => {
        const socket = connectSocket(`http://127.0.0.1:${port}`, { transports: ["websocket"] })
        await new Promise<void>((resolve) => socket.once("connect", () => resolve()))
        return socket
      },
      stop: async () => {
        await io.close()
        await pubClient.close()
        await subClient.close()
      },
    }
  }

  it("reaches the sockets of the other servers: rooms, acknowledgements, who is there", async () => {
    const [one, two] = [await node(), await node()]
    const [near, far] = [await one.connect(), await two.connect()]
    const { put, take } = LiveServer.mailbox<string>()
    far.on("news", put)
    await new Promise<void>((resolve) => far.emit("join", "room", resolve))
    // A server knows of the other once their subscriptions are there.
    await expect.poll(async () => (await one.io.in("room").fetchSockets()).map(({ id }) => id)).toEqual([far.id])
    one.io.to("room").emit("news", "for the room")
    expect(await take()).toBe("for the room")
    one.io.emit("news", { for: "everybody" })
    expect(await take()).toEqual({ for: "everybody" })
    far.on("question", (done: (answer: string) => void) => done("far"))
    near.on("question", (done: (answer: string) => void) => done("near"))
    const answers: ReadonlyArray<string> = await one.io.timeout(5000).emitWithAck("question")
    expect([...answers].sort()).toEqual(["far", "near"])
    one.io.in("room").disconnectSockets()
    await expect.poll(() => far.connected).toBe(false)
    near.disconnect()
    await one.stop()
    await two.stop()
  })
})

it("connect-redis keeps the sessions of express-session", async () => {
  const client = await connected()
  const app = express()
  app.use(
    session({
      store: new RedisStore({ client, prefix: "myapp:", ttl: 100 }),
      resave: false,
      saveUninitialized: false,
      secret: "keyboard cat",
    }),
  )
  app.get("/count", (request, response) => {
    const own = request.session as typeof request.session & { count?: number }
    own.count = (own.count ?? 0) + 1
    response.json(own.count)
  })
  app.get("/end", (request, response) => request.session.destroy(() => response.json("gone")))
  const listening = app.listen(0, "127.0.0.1")
  await once(listening, "listening")
  const base = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`
  const first = await fetch(`${base}/count`)
  const headers = { cookie: first.headers.get("set-cookie")!.split(";")[0]! }
  const get = async (path: string) => (await fetch(`${base}${path}`, { headers })).json()
  expect([await first.json(), await get("/count"), await get("/count")]).toEqual([1, 2, 3])
  const [key] = await client.keys("myapp:*")
  expect(await client.ttl(key!)).toBeGreaterThan(90)
  expect(await get("/end")).toBe("gone")
  expect(await client.exists(key!)).toBe(0)
  listening.close()
  await client.close()
})

it("Keyv keeps values with and without a time to live, in namespaces of their own", async () => {
  const keyv = new Keyv(new KeyvRedis(url), { namespace: "one" })
  const other = new Keyv(new KeyvRedis(url), { namespace: "two" })
  expect(await keyv.set("a", { deep: [1, "zwei", null] })).toBe(true)
  await other.set("a", "other")
  await keyv.set("short", 1, 30)
  expect(await keyv.get("a")).toEqual({ deep: [1, "zwei", null] })
  await keyv.setMany([
    { key: "b", value: 2 },
    { key: "c", value: 3 },
  ])
  expect(await keyv.getMany(["a", "b", "none"])).toEqual([{ deep: [1, "zwei", null] }, 2, undefined])
  expect([await keyv.has("b"), await keyv.delete("b"), await keyv.has("b")]).toEqual([true, true, false])
  await expect.poll(() => keyv.get("short")).toBeUndefined()
  await keyv.clear()
  expect([await keyv.get("a"), await other.get("a")]).toEqual([undefined, "other"])
  await keyv.disconnect()
  await other.disconnect()
})

describe("@effect/experimental", () => {
  const at = () => ({ host: "127.0.0.1", port: server.port })

  class Square extends Schema.TaggedRequest<Square>()("Square", {
    success: Schema.Number,
    failure: Schema.String,
    payload: { n: Schema.Number },
  }) {
    [PrimaryKey.symbol]() {
      return `${this.n}`
    }
  }

  it("PersistedCache looks up once, also for the next process, successes and failures alike", async () => {
    let lookups = 0
    const use = Effect.gen(function* () {
      const cache = yield* PersistedCache.make({
        storeId: "squares",
        lookup: ({ n }: Square) => {
          lookups++
          return n < 0 ? Effect.fail("negative") : Effect.succeed(n * n)
        },
        timeToLive: () => "1 minute",
      })
      const found = [yield* cache.get(new Square({ n: 3 })), yield* Effect.flip(cache.get(new Square({ n: -1 })))]
      yield* cache.invalidate(new Square({ n: 4 }))
      return found
    }).pipe(Effect.scoped, Effect.provide(PersistenceRedis.layerResult(at())))
    expect(await Effect.runPromise(use)).toEqual([9, "negative"])
    expect(await Effect.runPromise(use)).toEqual([9, "negative"])
    expect(lookups).toBe(2)
  })

  it("RateLimiter refuses what is beyond the limit, by window and by bucket", async () => {
    const use = Effect.gen(function* () {
      const limiter = yield* RateLimiter.RateLimiter
      for (const algorithm of ["fixed-window", "token-bucket"] as const) {
        const consume = limiter.consume({ algorithm, window: "1 hour", limit: 3, key: algorithm })
        const left = [yield* consume, yield* consume, yield* consume].map(({ remaining }) => remaining)
        expect(left).toEqual([2, 1, 0])
        expect((yield* Effect.flip(consume))._tag).toBe("RateLimiterError")
        const delayed = yield* limiter.consume({
          algorithm,
          window: "1 hour",
          limit: 3,
          key: `${algorithm} delayed`,
          tokens: 3,
          onExceeded: "delay",
        })
        expect(delayed.remaining).toBe(0)
      }
    }).pipe(Effect.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiterRedis.layerStore(at())))))
    await Effect.runPromise(use)
  })

  it("PersistedQueue hands each element to one taker, and again when it failed", async () => {
    const queues = PersistedQueue.layer.pipe(
      Layer.provide(PersistedQueueRedis.layerStore({ ...at(), pollInterval: "10 millis" })),
    )
    const use = Effect.gen(function* () {
      const queue = yield* PersistedQueue.make({ name: "jobs", schema: Schema.Number })
      const taken = yield* Effect.fork(Effect.replicateEffect(queue.take(Effect.succeed), 3))
      yield* queue.offer(1)
      yield* queue.offer(2, { id: "two" })
      yield* queue.offer(2, { id: "two" })
      yield* queue.offer(3)
      expect((yield* Fiber.join(taken)).sort()).toEqual([1, 2, 3])
      yield* queue.offer(4)
      yield* Effect.flip(queue.take(() => Effect.fail("not now")))
      expect(yield* queue.take((value, { attempts }) => Effect.succeed([value, attempts]))).toEqual([4, 1])
    }).pipe(Effect.provide(queues))
    await Effect.runPromise(use)
  })
})
