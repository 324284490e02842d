/**
 * Sorted sets: ZADD and the other 34 commands that work on them. What a sorted set is made of is in store/SortedSet.ts; a
 * file here is one thing one does with it.
 */
import { addCommands } from "./add.ts"
import { combineCommands } from "./combine.ts"
import { popCommands } from "./pop.ts"
import { rangeCommands } from "./range.ts"
import { readCommands } from "./read.ts"
import { removeCommands } from "./remove.ts"
import { scanCommands } from "./scan.ts"

export const sortedSetCommands = [
  ...addCommands,
  ...readCommands,
  ...rangeCommands,
  ...removeCommands,
  ...popCommands,
  ...combineCommands,
  ...scanCommands,
]
