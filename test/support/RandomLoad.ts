/** Random requests of every family of the fuzzer, the same ones for a seed, some of them as transactions, in four databases. */
import * as fc from "fast-check"
import { fuzzFamilies } from "../fuzz/families/index.ts"
import type { TestClient } from "./TestServer.ts"

const requestsAFamily = 150

export const playFamilies = async (client: TestClient, seed: number): Promise<void> => {
  for (const [index, { command }] of fuzzFamilies.entries()) {
    const requests = fc.sample(command, { seed: seed + index, numRuns: requestsAFamily })
    await client.run("SELECT", String(index % 4))
    for (let i = 0; i < requests.length; i += 10) {
      const piece = requests.slice(i, i + 10)
      const whole = i % 40 === 0 ? [["MULTI"], ...piece, ["EXEC"]] : piece
      await Promise.all(whole.map((request) => client.run(...request)))
    }
    await client.run("RESET")
  }
}
