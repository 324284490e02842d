/**
 * BullMQ 6: its queues, workers, flows and schedulers on this server, over TCP as an application runs them, and embedded in the
 * process of its tests.
 */
import { readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import {
  type ConnectionOptions,
  FlowProducer,
  type Job,
  Queue,
  QueueEvents,
  type QueueOptions,
  UnrecoverableError,
  Worker,
  type WorkerOptions,
} from "bullmq"
import { Redis, type RedisOptions } from "ioredis"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import * as EmbeddedServer from "../clients/EmbeddedServer.ts"
import * as LiveServer from "../clients/LiveServer.ts"

let stop: () => Promise<void>
let connection: ConnectionOptions
const open: Array<{ readonly close: () => Promise<void> }> = []
let queues = 0

/** The ways to a server: each gives ioredis's options. */
const ways = {
  "over TCP": async () => {
    const server = await LiveServer.start()
    stop = server.stop
    return { host: "127.0.0.1", port: server.port }
  },
  embedded: async () => {
    const server = await EmbeddedServer.start()
    stop = server.stop
    return { Connector: server.Connector as never }
  },
}

afterEach(async () => {
  for (const closable of open.splice(0).reverse()) await closable.close()
})
const kept = <A extends { readonly close: () => Promise<void> }>(closable: A): A => {
  open.push(closable)
  return closable
}
const newQueue = (options: Partial<QueueOptions> = {}) => {
  const queue = kept(new Queue(`queue${++queues}`, { connection, ...options }))
  return queue
}
const newWorker = (queue: Queue, work: (job: Job) => Promise<unknown>, options: Partial<WorkerOptions> = {}) =>
  kept(new Worker(queue.name, work, { connection, ...options }))
const newEvents = async (queue: Queue) => {
  const events = kept(new QueueEvents(queue.name, { connection }))
  await events.waitUntilReady()
  // It is ready when it is connected; that it reads the stream cannot be waited for.
  await new Promise((resolve) => setTimeout(resolve, 50))
  return events
}
/** Waits until `count` jobs have been worked on. */
const counting = (count: number) => {
  const names: Array<string> = []
  let finished = () => {}
  const all = new Promise<void>((resolve) => (finished = resolve))
  return {
    names,
    all,
    work: async (job: Job) => {
      names.push(job.name)
      if (names.length === count) finished()
      return job.data
    },
  }
}

describe.each(Object.entries(ways))("BullMQ %s", (_, start) => {
  beforeAll(async () => {
    connection = { ...(await start()), maxRetriesPerRequest: null }
  })
  afterAll(() => stop())

  it("has scripts that all load", async () => {
    const folder = join(dirname(createRequire(import.meta.url).resolve("bullmq")), "scripts")
    const names = readdirSync(folder).filter((name) => /-\d+\.js$/.test(name))
    expect(names.length).toBeGreaterThan(40)
    const redis = new Redis(connection as RedisOptions)
    for (const name of names) {
      const { content } = Object.values(
        createRequire(import.meta.url)(join(folder, name)) as Record<string, { readonly content: string }>,
      ).find((value) => typeof value?.content === "string")!
      expect(await redis.script("LOAD", content), name).toMatch(/^[0-9a-f]{40}$/)
      expect(readFileSync(join(folder, name), "utf8")).not.toBe("")
    }
    redis.disconnect()
  })

  it("runs jobs and tells their results to who waits", async () => {
    const queue = newQueue()
    const events = await newEvents(queue)
    newWorker(queue, async (job) => ({ doubled: job.data.n * 2 }))
    const job = await queue.add("double", { n: 21, text: "äöü 日本" })
    expect(await job.waitUntilFinished(events)).toEqual({ doubled: 42 })
    expect(await job.getState()).toBe("completed")
    expect((await queue.getJob(job.id!))?.data).toEqual({ n: 21, text: "äöü 日本" })
  })

  it("shares many jobs among several workers, each job once", async () => {
    const queue = newQueue()
    const seen = counting(200)
    for (let i = 0; i < 4; i++) newWorker(queue, seen.work, { concurrency: 10 })
    await queue.addBulk(Array.from({ length: 200 }, (_, i) => ({ name: `job${i}`, data: i })))
    await seen.all
    expect(new Set(seen.names).size).toBe(200)
  })

  it("runs urgent jobs first, and the last first where asked", async () => {
    const queue = newQueue()
    for (const priority of [5, 1, 3]) await queue.add(`priority ${priority}`, {}, { priority })
    await queue.add("plain", {})
    await queue.add("last in", {}, { lifo: true })
    expect((await queue.getJobCounts("prioritized", "waiting")).prioritized).toBe(3)
    const seen = counting(5)
    newWorker(queue, seen.work)
    await seen.all
    expect(seen.names).toEqual(["last in", "plain", "priority 1", "priority 3", "priority 5"])
  })

  it("delays jobs and promotes them", async () => {
    const queue = newQueue()
    const seen = counting(2)
    const startedAt = performance.now()
    await queue.add("later", {}, { delay: 150 })
    const far = await queue.add("far", {}, { delay: 3_600_000 })
    expect((await queue.getJobCounts("delayed")).delayed).toBe(2)
    newWorker(queue, seen.work)
    await far.promote()
    await seen.all
    expect(seen.names).toEqual(["far", "later"])
    expect(performance.now() - startedAt).toBeGreaterThan(140)
  })

  it("retries with backoff, and gives up for good", async () => {
    const queue = newQueue()
    const events = await newEvents(queue)
    newWorker(queue, async (job) => {
      if (job.name === "hopeless") throw new UnrecoverableError("no use")
      if (job.attemptsMade < 2) throw new Error(`attempt ${job.attemptsMade}`)
      return "at last"
    })
    const job = await queue.add("flaky", {}, { attempts: 3, backoff: { type: "exponential", delay: 20 } })
    expect(await job.waitUntilFinished(events)).toBe("at last")
    const hopeless = await queue.add("hopeless", {}, { attempts: 5 })
    await expect(hopeless.waitUntilFinished(events)).rejects.toThrow("no use")
    expect((await queue.getFailed()).map(({ failedReason }) => failedReason)).toEqual(["no use"])
    const failed = (await queue.getJob(hopeless.id!))!
    await failed.retry()
    await expect(failed.waitUntilFinished(events)).rejects.toThrow("no use")
  })

  it("repeats jobs by a scheduler until it is removed", async () => {
    const queue = newQueue()
    const seen = counting(3)
    newWorker(queue, seen.work)
    await queue.upsertJobScheduler("ticker", { every: 60 }, { name: "tick" })
    await seen.all
    expect((await queue.getJobSchedulers()).map(({ key }) => key)).toEqual(["ticker"])
    expect(await queue.removeJobScheduler("ticker")).toBe(true)
    expect(await queue.getJobSchedulers()).toEqual([])
  })

  it("waits for children in a flow and hands their results to the parent", async () => {
    const queue = newQueue()
    const events = await newEvents(queue)
    newWorker(queue, async (job) =>
      job.name === "parent" ? Object.values(await job.getChildrenValues()).sort() : job.data.value,
    )
    const flow = kept(new FlowProducer({ connection }))
    const tree = await flow.add({
      name: "parent",
      queueName: queue.name,
      children: [1, 2, 3].map((value) => ({ name: "child", queueName: queue.name, data: { value } })),
    })
    expect(await tree.job.waitUntilFinished(events)).toEqual([1, 2, 3])
  })

  it("limits the rate of a worker", async () => {
    const queue = newQueue()
    const seen = counting(4)
    await queue.addBulk(Array.from({ length: 4 }, (_, i) => ({ name: `${i}`, data: {} })))
    const startedAt = performance.now()
    newWorker(queue, seen.work, { limiter: { max: 2, duration: 200 } })
    await seen.all
    expect(performance.now() - startedAt).toBeGreaterThan(180)
  })

  it("pauses, resumes, drains and removes", async () => {
    const queue = newQueue()
    const seen = counting(1)
    newWorker(queue, seen.work)
    await queue.pause()
    await queue.add("held", {})
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(seen.names).toEqual([])
    expect(await queue.isPaused()).toBe(true)
    await queue.resume()
    await seen.all
    await queue.add("delayed", {}, { delay: 100_000 })
    await queue.drain(true)
    expect(await queue.getJobCountByTypes("delayed", "waiting")).toBe(0)
    await queue.obliterate({ force: true })
    const redis = new Redis(connection as RedisOptions)
    expect(await redis.keys(`bull:${queue.name}:*`)).toEqual([])
    redis.disconnect()
  })

  it("takes over the job of a worker that went away", async () => {
    const queue = newQueue()
    let begun = () => {}
    const first = new Promise<void>((resolve) => (begun = resolve))
    const lost = new Worker(
      queue.name,
      () => {
        begun()
        return new Promise(() => {})
      },
      { connection, lockDuration: 100, skipLockRenewal: true, skipStalledCheck: true },
    )
    lost.on("error", () => {})
    await queue.add("orphan", {})
    await first
    const seen = counting(1)
    newWorker(queue, seen.work, { stalledInterval: 100, lockDuration: 100 })
    await seen.all
    expect(seen.names).toEqual(["orphan"])
    await lost.close(true)
  })

  it("keeps events, progress, logs and metrics", async () => {
    const queue = newQueue()
    const events = await newEvents(queue)
    const heard: Array<string> = []
    events.on("added", () => heard.push("added"))
    events.on("active", () => heard.push("active"))
    events.on("progress", ({ data }) => heard.push(`progress ${JSON.stringify(data)}`))
    const completed = new Promise<void>((resolve) => events.on("completed", () => resolve()))
    newWorker(
      queue,
      async (job) => {
        await job.updateProgress(50)
        await job.log("half way")
        return 1
      },
      { metrics: { maxDataPoints: 10 } },
    )
    const job = await queue.add("told", {})
    await completed
    expect(heard).toEqual(["added", "active", "progress 50"])
    expect((await queue.getJobLogs(job.id!)).logs).toEqual(["half way"])
    expect((await queue.getMetrics("completed")).meta.count).toBe(1)
  })

  it("adds a job of one name only once, where asked", async () => {
    const queue = newQueue()
    await queue.add("same", { n: 1 }, { deduplication: { id: "x" } })
    await queue.add("same", { n: 2 }, { deduplication: { id: "x" } })
    await queue.add("named", {}, { jobId: "my-id" })
    await queue.add("named", {}, { jobId: "my-id" })
    expect(await queue.getWaitingCount()).toBe(2)
    const job = (await queue.getJob("my-id"))!
    await job.updateData({ changed: true })
    expect((await queue.getJob("my-id"))?.data).toEqual({ changed: true })
    await job.remove()
    expect(await queue.getWaitingCount()).toBe(1)
  })
})
