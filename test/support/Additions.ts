/** What later versions of Redis added to replies of 7.0.15, taken out again where ours are held against its. */
import type { Reply } from "../../src/codec/Reply.ts"

/** Fields of XINFO since 7.2, and the field each one stands behind. */
const addedAfter = new Map([
  ["inactive", "idle"],
  ["active-time", "seen-time"],
])

const nameAt = (values: ReadonlyArray<Reply>, index: number): string => {
  const value = values[index]
  return value?._tag === "Bulk" ? value.value : ""
}

const isAdded = (values: ReadonlyArray<Reply>, index: number): boolean => {
  const before = addedAfter.get(nameAt(values, index))
  return before !== undefined && nameAt(values, index - 2) === before
}

export const withoutAdditions = (reply: Reply): Reply => {
  if (reply._tag !== "Array" && reply._tag !== "Map") return reply
  const all = reply._tag === "Array" ? reply.values : reply.entries
  const values = all.filter((_, index) => !isAdded(all, index) && !isAdded(all, index - 1)).map(withoutAdditions)
  return reply._tag === "Array" ? { _tag: "Array", values } : { _tag: "Map", entries: values }
}
