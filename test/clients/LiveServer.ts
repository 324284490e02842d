/** A server on a real port, for clients that want one: started and stopped by hand, and again on the same port. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Context from "effect/Context"
import * as Scope from "effect/Scope"
import type { Values } from "../../src/config/Config.ts"
import * as Server from "../../src/Server.ts"
import { Listener } from "../../src/socket/Listener.ts"
import { testSettings } from "../support/TestServer.ts"

export interface LiveServer {
  readonly port: number
  readonly stop: () => Promise<void>
}

export const start = async (options: Partial<Values> = {}): Promise<LiveServer> => {
  const scope = Effect.runSync(Scope.make())
  // A server that was started by hand may have left its snapshot where the tests run.
  const dir = mkdtempSync(join(tmpdir(), "tiny-redis-live-"))
  const context = await Effect.runPromise(
    Layer.buildWithScope(Server.layer({ ...testSettings, port: 0, dir, ...options }), scope).pipe(
      Logger.withMinimumLogLevel(LogLevel.Warning),
    ),
  )
  return {
    port: Context.get(context, Listener).port,
    stop: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** What a client calls back with, to be waited for. */
export const mailbox = <A>() => {
  const arrived: Array<A> = []
  const waiting: Array<(message: A) => void> = []
  return {
    put: (message: A): void => {
      const taker = waiting.shift()
      if (taker === undefined) arrived.push(message)
      else taker(message)
    },
    take: (): Promise<A> =>
      arrived.length > 0 ? Promise.resolve(arrived.shift()!) : new Promise((resolve) => waiting.push(resolve)),
  }
}
