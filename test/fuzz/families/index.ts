/** The families of the fuzzer; a new one is a file here and a line in this list. */
import type { Family } from "../Fuzz.ts"
import { bitmaps } from "./bitmaps.ts"
import { hashes, smallHashes } from "./hashes.ts"
import { hyperLogLog } from "./hyperLogLog.ts"
import { lists } from "./lists.ts"
import { sets } from "./sets.ts"
import { streamsFamily } from "./streams.ts"
import { geo } from "./geo.ts"
import { sort } from "./sort.ts"
import { sortedSets } from "./sortedSets.ts"
import { programs } from "./programs.ts"
import { scripting } from "./scripting.ts"
import { strings } from "./strings.ts"

export const fuzzFamilies: ReadonlyArray<Family> = [
  strings,
  bitmaps,
  hashes,
  smallHashes,
  hyperLogLog,
  lists,
  sets,
  streamsFamily,
  sort,
  sortedSets,
  geo,
  scripting,
  programs,
]
