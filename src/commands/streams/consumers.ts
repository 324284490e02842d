/** Finding groups and consumers, and making a consumer at its first use. */
import { flat } from "../../bytes/Bytes.ts"
import type { Ctx } from "../../command/Command.ts"
import { EventClass } from "../../store/Events.ts"
import type { Consumer, Group } from "../../store/StreamGroup.ts"

/** The consumer of that name, seen now; made when there is none. */
export const consumerOf = (group: Group, name: string, key: string, ctx: Ctx): Consumer => {
  const known = group.consumers.get(name)
  if (known !== undefined) {
    known.seenMs = ctx.now
    return known
  }
  const consumer = group.addConsumer(flat(name), ctx.now)
  ctx.db.notify(EventClass.stream, "xgroup-createconsumer", key)
  ctx.db.touched()
  return consumer
}
