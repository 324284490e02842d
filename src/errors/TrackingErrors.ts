/** The errors of CLIENT TRACKING and CLIENT CACHING. */
import { upToNul } from "../bytes/Bytes.ts"
import { CommandError } from "./CommandError.ts"

/** Options of client-side caching that do not go together. */
export class TrackingError extends CommandError("TrackingError", "ERR") {
  static readonly noSuchRedirect = new TrackingError("The client ID you want redirect to does not exist")
  static readonly prefixWithoutBcast = new TrackingError("PREFIX option requires BCAST mode to be enabled")
  static readonly bothOptions = new TrackingError("You can't specify both OPTIN mode and OPTOUT mode")
  static readonly optionsWithBcast = new TrackingError("OPTIN and OPTOUT are not compatible with BCAST")
  static readonly switchesBcast = new TrackingError(
    "You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
  )
  static readonly switchesOption = new TrackingError(
    "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
  )
  static readonly cachingWithoutMode = new TrackingError(
    "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
  )
  static readonly cachingYes = new TrackingError(
    "CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
  )
  static readonly cachingNo = new TrackingError(
    "CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
  )
  static overlapsExisting(prefix: string, other: string): TrackingError {
    return new TrackingError(
      `Prefix '${upToNul(prefix)}' overlaps with an existing prefix '${upToNul(other)}'. Prefixes for a single client must not overlap.`,
    )
  }
  static overlapsProvided(prefix: string, other: string): TrackingError {
    return new TrackingError(
      `Prefix '${upToNul(prefix)}' overlaps with another provided prefix '${upToNul(other)}'. Prefixes for a single client must not overlap.`,
    )
  }
}
