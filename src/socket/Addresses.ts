/**
 * Addresses to listen on, as settings name them and as people read them, and why one cannot be had.
 */
import * as Data from "effect/Data"

/** Why the server cannot listen, in words for the operator. */
export class SocketError extends Data.TaggedError("SocketError")<{
  readonly message: string
  readonly cause?: unknown
}> {}

export interface Address {
  readonly host: string
  /** Whether it may be missing. */
  readonly optional: boolean
}

/** An address as `bind` has it: `*` and `::*` are all of a family, and a leading `-` says that it may be missing. */
export const parseAddress = (address: string): Address => {
  const optional = address.startsWith("-")
  const name = optional ? address.slice(1) : address
  return { host: name === "*" ? "0.0.0.0" : name === "::*" ? "::" : name, optional }
}

/** `ip:port`, or `[ip6]:port`. */
export const formatAddress = (host: string | undefined, port: number | undefined): string =>
  host !== undefined && host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

/** The host of what `formatAddress` made. */
export const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(":")).replace(/[[\]]/g, "")

export const cannotListen = (name: string, cause: NodeJS.ErrnoException): SocketError =>
  new SocketError({ message: `Cannot listen on ${name}: ${reasonOf(cause)}`, cause })

const reasonOf = (cause: NodeJS.ErrnoException): string => {
  if (cause.code === "EADDRINUSE") return "the address is already in use"
  if (cause.code === "EACCES") return "permission denied"
  if (cause.code === "EADDRNOTAVAIL") return "this machine has no such address"
  if (cause.code === "ENOENT") return "no such directory"
  return cause.message
}
