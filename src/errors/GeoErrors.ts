/** What geo commands refuse beyond wrong types and syntax. */
import { CommandError } from "./CommandError.ts"

/** A place outside of what the grid covers. */
export class InvalidPlace extends CommandError("InvalidPlace", "ERR") {
  /** The coordinates as C's `%f` prints them. */
  static of(longitude: string, latitude: string): InvalidPlace {
    return new InvalidPlace(`invalid longitude,latitude pair ${longitude},${latitude}`)
  }
}

/** A size of the area to search that cannot be read or makes no sense. */
export class InvalidArea extends CommandError("InvalidArea", "ERR") {
  static readonly unit = new InvalidArea("unsupported unit provided. please use M, KM, FT, MI")
  static readonly radius = new InvalidArea("need numeric radius")
  static readonly width = new InvalidArea("need numeric width")
  static readonly height = new InvalidArea("need numeric height")
  static readonly negativeRadius = new InvalidArea("radius cannot be negative")
  static readonly negativeBox = new InvalidArea("height or width cannot be negative")
  static readonly member = new InvalidArea("could not decode requested zset member")
}

/** Options of a search that are each right and do not go together, or of which one is missing. */
export class InvalidSearch extends CommandError("InvalidSearch", "ERR") {
  static readonly count = new InvalidSearch("COUNT must be > 0")
  static readonly any = new InvalidSearch("the ANY argument requires COUNT argument")
  static storing(what: string): InvalidSearch {
    return new InvalidSearch(`${what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`)
  }
  static center(command: string): InvalidSearch {
    return new InvalidSearch(`exactly one of FROMMEMBER or FROMLONLAT can be specified for ${command}`)
  }
  static shape(command: string): InvalidSearch {
    return new InvalidSearch(`exactly one of BYRADIUS and BYBOX can be specified for ${command}`)
  }
}
