/** The table of CLIENT TRACKING where it is full; what else it does is in transcripts recorded from redis-server. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Server from "../src/Server.ts"
import { connect, run, testSettings } from "./support/TestServer.ts"
import { formatReply } from "./support/Transcript.ts"

it.effect("whoever tracks a key is told when it goes from a full table, or one that was made smaller", () =>
  Effect.gen(function* () {
    const client = yield* connect
    const told = yield* connect
    yield* run(told, "HELLO", "3")
    yield* run(told, "CLIENT", "TRACKING", "ON")
    yield* run(client, "CONFIG", "SET", "tracking-table-max-keys", "3")
    for (const key of ["a", "b", "c"]) yield* run(told, "GET", key)
    expect(told.arrived()).toEqual([])
    told.send("GET", "d")
    const next = () => Effect.map(Effect.promise(told.receive), (reply) => formatReply(reply).join(" "))
    expect([yield* next(), yield* next()].join("; ")).toContain('"a"')
    yield* run(client, "CONFIG", "SET", "tracking-table-max-keys", "1")
    expect([yield* next(), yield* next()].join("; ")).toMatch(/"b".*"c"/s)
    expect(told.arrived()).toEqual([])
  }).pipe(Effect.provide(Server.layerTest(testSettings))),
)
