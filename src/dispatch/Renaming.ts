/**
 * `rename-command`, once there are commands to rename: clients, scripts and COMMAND know a command by its new name, or not at all.
 * Rules of users, INFO and errors go on to call it by its own.
 *
 * The idea to hold: requests are logged and sent to replicas as they came, so a log from redis-server under the same settings can be
 * loaded, and ours by it. What a log or a master says by a command's own name is understood, too (Dispatcher.ts).
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Registry } from "../command/Registry.ts"
import { Config } from "../config/Config.ts"
import { invalidRename } from "../config/Directive.ts"

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { renames } = yield* Config
    const registry = yield* Registry
    for (const rename of renames) {
      const reason = registry.rename(rename.from, rename.to)
      if (reason !== undefined) yield* Effect.fail(invalidRename(rename, reason))
    }
  }),
)
