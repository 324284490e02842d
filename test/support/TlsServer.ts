/** A server under TLS for a test, and what it says. */
import type * as tls from "node:tls"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import type { Values } from "../../src/config/Config.ts"
import * as Server from "../../src/Server.ts"
import { Listener } from "../../src/socket/Listener.ts"
import * as RealServer from "./RealServer.ts"
import { type TestClient, testSettings } from "./TestServer.ts"
import * as Tls from "./Tls.ts"

export interface Running {
  readonly port: number
  readonly listener: Listener["Type"]
  /** What the server has said. */
  readonly log: ReadonlyArray<string>
  readonly connect: (options?: tls.ConnectionOptions) => Promise<TestClient>
}

/** Runs `test` with a server that serves TLS only. */
export const served = <A, E>(test: (server: Running) => Effect.Effect<A, E>, values: Partial<Values> = {}) =>
  Effect.gen(function* () {
    const log: Array<string> = []
    const tlsPort = yield* Effect.promise(RealServer.freePort)
    const layer = Server.layer({ ...testSettings, ...Tls.settings, port: 0, bind: ["127.0.0.1"], tlsPort, ...values })
    const logger = Logger.make(({ message }) => void log.push(String(message)))
    return yield* Effect.flatMap(Listener, (listener) =>
      test({ port: tlsPort, listener, log, connect: (options) => Tls.connectTls(tlsPort, options) }),
    ).pipe(Effect.provide(layer), Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })

export const servedLive = (test: (server: Running) => Promise<void>, values: Partial<Values> = {}) =>
  served((server) => Effect.promise(() => test(server)), values)
