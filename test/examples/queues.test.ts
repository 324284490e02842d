/** Bull 4 and bee-queue: the job queues that are in use for years, their scripts and blocking commands. */
import BeeQueue from "bee-queue"
import Bull from "bull"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as LiveServer from "../clients/LiveServer.ts"

let server: LiveServer.LiveServer
let redis: { readonly host: string; readonly port: number }
beforeAll(async () => {
  server = await LiveServer.start()
  redis = { host: "127.0.0.1", port: server.port }
})
afterAll(() => server.stop())

describe("Bull 4", () => {
  it("runs, retries, delays and prioritizes jobs", async () => {
    const queue = new Bull("bull", { redis })
    const names: Array<string> = []
    await queue.add("second", {}, { priority: 2 })
    await queue.add("first", {}, { priority: 1 })
    void queue.process("*", 1, async (job) => {
      names.push(job.name)
      if (job.name === "flaky" && job.attemptsMade < 1) throw new Error("once")
      return job.name.length
    })
    const flaky = await queue.add("flaky", {}, { attempts: 2, backoff: 10, priority: 3 })
    expect(await flaky.finished()).toBe(5)
    const delayed = await queue.add("delayed", {}, { delay: 50 })
    expect(await delayed.finished()).toBe(7)
    expect(names).toEqual(["first", "second", "flaky", "flaky", "delayed"])
    expect(await queue.getJobCounts()).toMatchObject({ completed: 4, failed: 0, waiting: 0 })
    await queue.obliterate({ force: true })
    await queue.close()
  })

  it("repeats jobs and stops", async () => {
    const queue = new Bull("repeat", { redis })
    let ticks = 0
    const three = new Promise<void>((resolve) => {
      void queue.process(async () => {
        if (++ticks === 3) resolve()
      })
    })
    await queue.add({}, { repeat: { every: 60 } })
    await three
    const [repeatable] = await queue.getRepeatableJobs()
    await queue.removeRepeatableByKey(repeatable!.key)
    expect(await queue.getRepeatableJobs()).toEqual([])
    await queue.close()
  })
})

describe("bee-queue", () => {
  it("runs, retries and delays jobs", async () => {
    const queue = new BeeQueue("bee", { redis, activateDelayedJobs: true })
    let attempts = 0
    queue.process(async (job) => {
      if (job.data.flaky === true && ++attempts === 1) throw new Error("once")
      return job.data.n * 2
    })
    const result = (job: ReturnType<typeof queue.createJob>) =>
      new Promise((resolve, reject) => {
        job.on("succeeded", resolve)
        job.on("failed", reject)
        job.save().catch(reject)
      })
    expect(await result(queue.createJob({ n: 4 }))).toBe(8)
    expect(await result(queue.createJob({ n: 5, flaky: true }).retries(2))).toBe(10)
    expect(await result(queue.createJob({ n: 6 }).delayUntil(new Date(Date.now() + 50)))).toBe(12)
    expect(await queue.checkHealth()).toMatchObject({ succeeded: 3, failed: 0, waiting: 0 })
    await queue.close()
  })
})
