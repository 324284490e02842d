/** Lists: LPUSH and the other 21 commands that work on them. What a list is made of is in store/List.ts. */
import { blockingCommands } from "./blocking.ts"
import { changeCommands } from "./change.ts"
import { moveCommands } from "./move.ts"
import { popCommands } from "./pop.ts"
import { pushCommands } from "./push.ts"
import { readCommands } from "./read.ts"

export const listCommands = [
  ...pushCommands,
  ...popCommands,
  ...readCommands,
  ...changeCommands,
  ...moveCommands,
  ...blockingCommands,
]
