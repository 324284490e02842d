/**
 * Settings that are there for tests of what goes on while something takes long. As in redis-server they are found by their names only,
 * not by patterns, and the README does not list them; they do what they say as any other.
 */
import { setting } from "./Setting.ts"
import * as Kind from "./SettingType.ts"

const delay = Kind.integer(-2147483648, Kind.int32Max)

export const hidden = {
  // Differs: what is being written follows a change; in redis-server it is another process, which has what was set when it began.
  "rdb-key-save-delay": setting(delay, {
    default: 0,
    unit: "microseconds",
    hidden: true,
    about:
      "Time to wait after each key of a snapshot or of a log that is rewritten; -n for one microsecond every n keys.",
  }),
  "key-load-delay": setting(delay, {
    default: 0,
    unit: "microseconds",
    hidden: true,
    about: "The same after each key or command that is loaded.",
  }),
  "loading-process-events-interval-bytes": setting(Kind.integer(1024, Kind.int32Max), {
    default: 2 * 1024 ** 2,
    unit: "bytes",
    hidden: true,
    about:
      "Most of a file that is loaded between two turns of the event loop, in which clients are answered; from 256kb on no more than that.",
  }),
} as const
