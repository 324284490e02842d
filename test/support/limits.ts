/** The thresholds of encodings as the settings have them without a file. */
import { settings } from "../../src/config/Settings.ts"
import type { Limits } from "../../src/store/Value.ts"

export const defaultLimits: Limits = {
  listMaxListpackSize: settings["list-max-listpack-size"].default,
  hashMaxListpackEntries: settings["hash-max-listpack-entries"].default,
  hashMaxListpackValue: settings["hash-max-listpack-value"].default,
  setMaxIntsetEntries: settings["set-max-intset-entries"].default,
  zsetMaxListpackEntries: settings["zset-max-listpack-entries"].default,
  zsetMaxListpackValue: settings["zset-max-listpack-value"].default,
  hllSparseMaxBytes: settings["hll-sparse-max-bytes"].default,
  protoMaxBulkLen: settings["proto-max-bulk-len"].default,
  streamNodeMaxBytes: settings["stream-node-max-bytes"].default,
  streamNodeMaxEntries: settings["stream-node-max-entries"].default,
}
