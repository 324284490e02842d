/** Makes the users that were declared, once there are commands for their rules to name, and before anybody is served. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Registry } from "../command/Registry.ts"
import { Acl, tableOf } from "./Acl.ts"

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { start } = yield* Acl
    yield* start(tableOf(yield* Registry))
  }),
)
