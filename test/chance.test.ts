/** Chance is seeded from Effect's `Random`: a test that fixes it sees the same choices again. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { formatReply } from "./support/Transcript.ts"
import { run, withServer } from "./support/TestServer.ts"

const names = (count: number) => Array.from({ length: count }, (_, i) => `n${i}`)

/** What a server with this seed chooses, out of small collections and large ones. */
const choices = (seed: number, keyspace: "bytes" | "map") =>
  withServer(
    (client) =>
      Effect.gen(function* () {
        for (const count of [10, 2000]) {
          const all = names(count)
          yield* run(client, "MSET", ...all.flatMap((name) => [`k${name}`, "v"]))
          yield* run(client, "SADD", `s${count}`, ...all)
          yield* run(client, "HSET", `h${count}`, ...all.flatMap((name) => [name, "v"]))
          yield* run(client, "ZADD", `z${count}`, ...all.flatMap((name, i) => [String(i), name]))
        }
        const chosen: Array<string> = []
        for (const request of [
          ...Array<string>(5).fill("RANDOMKEY"),
          ...[10, 2000].flatMap((count) => [
            `SPOP s${count} 3`,
            `SRANDMEMBER s${count} -3`,
            `HRANDFIELD h${count} 3`,
            `ZRANDMEMBER z${count} 3`,
          ]),
        ]) {
          const lines = formatReply(yield* run(client, ...request.split(" ")))
          chosen.push(`${request}: ${lines.join(" ")}`)
        }
        return chosen
      }),
    { keyspace },
  ).pipe(Effect.withRandom(Random.make(seed)))

for (const keyspace of ["bytes", "map"] as const) {
  it.effect(`a seed makes the same choices, another one others (${keyspace})`, () =>
    Effect.gen(function* () {
      const first = yield* choices(1, keyspace)
      expect(yield* choices(1, keyspace)).toEqual(first)
      const other = yield* choices(2, keyspace)
      expect(other.filter((line, i) => line === first[i]).length).toBeLessThan(3)
    }),
  )
}
