/** The stream commands, from adding entries to consumer groups. */
import { claimingCommands } from "./claiming.ts"
import { entryCommands } from "./entries.ts"
import { xgroup } from "./groups.ts"
import { xinfo } from "./info.ts"
import { pendingCommands } from "./pending.ts"
import { rangeCommands } from "./ranges.ts"
import { readingCommands } from "./reading.ts"

export const streamCommands = [
  ...entryCommands,
  ...rangeCommands,
  ...readingCommands,
  ...pendingCommands,
  ...claimingCommands,
  xgroup,
  xinfo,
]
