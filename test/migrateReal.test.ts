/** MIGRATE from this server to a real redis-server and back: everything arrives as it was, and nothing stays. */
import { expect, it } from "vitest"
import * as LiveServer from "./clients/LiveServer.ts"
import { dataset, fill } from "./support/Dataset.ts"
import * as RealServer from "./support/RealServer.ts"
import type { TestClient } from "./support/TestServer.ts"

/** Those of the first database. */
const requests = dataset.slice(
  0,
  dataset.findIndex(([name]) => name === "SELECT"),
)

const digest = (client: TestClient) => client.run("DEBUG", "DIGEST")

/** All keys of one server go to the other, by one request. */
const moveAll = async (from: TestClient, to: number, ...options: ReadonlyArray<string>) => {
  const keys = await from.run("KEYS", "*")
  const names = keys._tag === "Array" ? keys.values.map((key) => ("value" in key ? String(key.value) : "")) : []
  return from.run("MIGRATE", "127.0.0.1", String(to), "", "0", "5000", ...options, "KEYS", ...names)
}

it.skipIf(!RealServer.isInstalled)(
  "MIGRATE brings keys of all types to redis-server, and from there back",
  async () => {
    const ours = await LiveServer.start({ requirepass: "secret" })
    const real = await RealServer.start()
    const here = await RealServer.connectTcp(ours.port)
    const there = await real.connect()
    try {
      await here.run("AUTH", "secret")
      await fill(here, requests)
      const before = await digest(here)
      const empty = await digest(there)
      expect(await moveAll(here, real.port)).toMatchObject({ value: "OK" })
      expect(await digest(there)).toEqual(before)
      expect(await digest(here)).toEqual(empty)
      expect(await moveAll(there, ours.port)).toMatchObject({
        message: expect.stringContaining("NOAUTH Authentication required."),
      })
      expect(await digest(there)).toEqual(before)
      expect(await moveAll(there, ours.port, "AUTH", "secret")).toMatchObject({ value: "OK" })
      expect(await digest(here)).toEqual(before)
      expect(await digest(there)).toEqual(empty)
    } finally {
      here.destroy()
      there.destroy()
      await real.stop()
      await ours.stop()
    }
  },
)
