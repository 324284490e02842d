/** The scripting family: EVAL and its like, SCRIPT, FUNCTION and FCALL. */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import { toUtf8 } from "../../bytes/Bytes.ts"
import { Config } from "../../config/Config.ts"
import { Libraries } from "../../scripting/Libraries.ts"
import { ScriptEngine } from "../../scripting/ScriptEngine.ts"
import { Store } from "../../store/Store.ts"
import { evalCommands } from "./eval.ts"
import { callCommands, functionCommand } from "./functions.ts"
import type { RunServices } from "./running.ts"
import { scriptCommand } from "./script.ts"

/** redis.log's levels, from debug to warning. */
const levels = [Effect.logTrace, Effect.logDebug, Effect.logInfo, Effect.logWarning]

export const scriptingCommands = Effect.gen(function* () {
  const engine = yield* ScriptEngine
  const config = yield* Config
  const fork = Runtime.runFork(yield* Effect.runtime<never>())
  const services: RunServices = {
    engine,
    busyAfterMs: () => config.current.busyReplyThreshold,
    endsAfterMs: () => config.current.scriptTimeLimit || Infinity,
    log: (level, message) => fork(levels[level]!(toUtf8(message))),
  }
  const libraries = new Libraries(engine, yield* Store)
  return [
    ...evalCommands(services),
    ...callCommands(services, libraries),
    scriptCommand(engine),
    functionCommand(engine, libraries, config),
  ]
})
