/** redlock and rate-limiter-flexible: small scripts that must be atomic. */
import { createRequire } from "node:module"
import { Redis } from "ioredis"
import { RateLimiterRedis, RLWrapperBlackAndWhite } from "rate-limiter-flexible"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as LiveServer from "../clients/LiveServer.ts"

interface Lock {
  readonly extend: (ttlMs: number) => Promise<Lock>
  readonly unlock: () => Promise<void>
}
// redlock comes without types; this is what is used of it.
const Redlock = createRequire(import.meta.url)("redlock") as new (
  clients: ReadonlyArray<Redis>,
  options: { readonly retryCount?: number; readonly retryDelay?: number; readonly retryJitter?: number },
) => { readonly lock: (resource: string, ttlMs: number) => Promise<Lock> }

let server: LiveServer.LiveServer
let redis: Redis
beforeAll(async () => {
  server = await LiveServer.start()
  redis = new Redis(server.port, "127.0.0.1")
})
afterAll(async () => {
  await redis.quit()
  await server.stop()
})

describe("redlock", () => {
  it("gives a lock to one at a time, extends it and lets it go", async () => {
    const lock = new Redlock([redis], { retryCount: 0 })
    const held = await lock.lock("resource", 1000)
    await expect(lock.lock("resource", 1000)).rejects.toThrow(/Exceeded/)
    const longer = await held.extend(5000)
    expect(await redis.pttl("resource")).toBeGreaterThan(4000)
    await longer.unlock()
    await (await lock.lock("resource", 1000)).unlock()
  })

  it("keeps a counter right among competitors", async () => {
    const lock = new Redlock([redis], { retryCount: 500, retryDelay: 2, retryJitter: 2 })
    let counter = 0
    const add = async () => {
      const held = await lock.lock("counter", 5000)
      const before = counter
      await new Promise((resolve) => setTimeout(resolve, 1))
      counter = before + 1
      await held.unlock()
    }
    await Promise.all(Array.from({ length: 20 }, add))
    expect(counter).toBe(20)
  })
})

describe("rate-limiter-flexible", () => {
  it("counts, refuses and forgets", async () => {
    const limiter = new RateLimiterRedis({ storeClient: redis, points: 3, duration: 1, keyPrefix: "limit" })
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => limiter.consume("user")))
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(3)
    expect((await limiter.get("user"))?.remainingPoints).toBe(0)
    await limiter.delete("user")
    expect((await limiter.consume("user", 2)).remainingPoints).toBe(1)
    await limiter.penalty("user", 5)
    await expect(limiter.consume("user")).rejects.toMatchObject({ remainingPoints: 0 })
    await limiter.block("blocked", 10)
    await expect(limiter.consume("blocked")).rejects.toMatchObject({ remainingPoints: 0 })
    const wrapped = new RLWrapperBlackAndWhite({ limiter, blackList: ["bad"] })
    await expect(wrapped.consume("bad")).rejects.toBeDefined()
  })
})
