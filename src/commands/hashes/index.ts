/**
 * Hashes: HSET and the other commands that work on them, and the deadlines of fields that came with Redis 7.4. What a hash is
 * made of is in store/Hash.ts; a file here is one thing one does with it.
 */
import { counterCommands } from "./counters.ts"
import { deadlineCommands } from "./deadlines.ts"
import { fieldCommands } from "./fields.ts"
import { timeCommands } from "./times.ts"
import { wholeCommands } from "./whole.ts"

export const hashCommands = [
  ...fieldCommands,
  ...counterCommands,
  ...wholeCommands,
  ...deadlineCommands,
  ...timeCommands,
]
