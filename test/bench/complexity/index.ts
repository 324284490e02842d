/** All cases. Every command on data is in one of them; test/complexity.test.ts holds that. */
import type { Family } from "./Case.ts"
import { hashFamilies } from "./hashes.ts"
import { keyFamilies } from "./keys.ts"
import { listFamilies } from "./lists.ts"
import { sets } from "./sets.ts"
import { sortedSetFamilies } from "./sortedSets.ts"
import { streamFamilies } from "./streams.ts"
import { stringFamilies } from "./strings.ts"

export const families: ReadonlyArray<Family> = [
  ...keyFamilies,
  ...stringFamilies,
  ...listFamilies,
  ...hashFamilies,
  sets,
  ...sortedSetFamilies,
  ...streamFamilies,
]
