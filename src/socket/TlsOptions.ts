/**
 * What Node's TLS is told, out of the settings: files are read here, and each is looked at by itself, so that what is wrong with one is said
 * in words for the operator and not in OpenSSL's.
 *
 * The invariant: what cannot be served with as asked is refused. Nothing falls back to something weaker.
 */
import { constants, createPrivateKey, X509Certificate } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as tls from "node:tls"
import * as Either from "effect/Either"
import type { Values } from "../config/Config.ts"
import { systemReason } from "../config/ConfigFile.ts"
import type { SettingName } from "../config/Settings.ts"
import { SocketError } from "./Addresses.ts"

/** The settings of which a context is made. A change of one makes another. */
export const tlsSettingNames = [
  "tls-cert-file",
  "tls-key-file",
  "tls-key-file-pass",
  "tls-ca-cert-file",
  "tls-ca-cert-dir",
  "tls-dh-params-file",
  "tls-auth-clients",
  "tls-protocols",
  "tls-ciphers",
  "tls-ciphersuites",
  "tls-prefer-server-ciphers",
  "tls-session-caching",
  "tls-session-cache-size",
  "tls-session-cache-timeout",
] as const satisfies ReadonlyArray<SettingName>

export type TlsSettings = Pick<
  Values,
  | "tlsCertFile"
  | "tlsKeyFile"
  | "tlsKeyFilePass"
  | "tlsCaCertFile"
  | "tlsCaCertDir"
  | "tlsDhParamsFile"
  | "tlsAuthClients"
  | "tlsProtocols"
  | "tlsCiphers"
  | "tlsCiphersuites"
  | "tlsPreferServerCiphers"
  | "tlsSessionCaching"
  | "tlsSessionCacheSize"
  | "tlsSessionCacheTimeout"
>

/** Thrown inside, and a value at the edge. */
const refuse = (reason: string, cause?: unknown): never => {
  throw new SocketError({ message: `Cannot serve TLS: ${reason}`, cause })
}

/** The options of a server, from files as they are now. */
export const read = (settings: TlsSettings): Either.Either<tls.TlsOptions, SocketError> =>
  Either.try({
    try: () => options(settings),
    catch: (cause) =>
      cause instanceof SocketError
        ? cause
        : new SocketError({ message: `Cannot serve TLS: ${reasonOf(cause)}`, cause }),
  })

/** The options of a connection to a master, from files as they are now. */
export const readClient = (
  settings: TlsSettings & ClientSettings,
): Either.Either<tls.SecureContextOptions, SocketError> =>
  Either.try({
    try: () => {
      const { tlsClientCertFile, tlsClientKeyFile, tlsClientKeyFilePass } = settings
      const own =
        tlsClientCertFile === ""
          ? settings
          : {
              ...settings,
              tlsCertFile: tlsClientCertFile,
              tlsKeyFile: tlsClientKeyFile,
              tlsKeyFilePass: tlsClientKeyFilePass,
            }
      const made = {
        // A master that asks for no certificate needs none.
        ...(own.tlsCertFile === "" ? {} : identity(own)),
        ...protocols(settings.tlsProtocols),
        ca: [...authorities({ ...settings, tlsAuthClients: "yes" })],
        ciphers: ciphers(settings),
      }
      tls.createSecureContext(made)
      return made
    },
    catch: (cause) =>
      cause instanceof SocketError
        ? cause
        : new SocketError({ message: `Cannot speak TLS: ${reasonOf(cause)}`, cause }),
  })

type ClientSettings = Pick<Values, "tlsClientCertFile" | "tlsClientKeyFile" | "tlsClientKeyFilePass">

/** OpenSSL's word for what is wrong, without the numbers and names of files around it. */
export const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  const reason: unknown = Reflect.get(cause, "reason")
  return typeof reason === "string" ? reason : cause.message
}

const options = (settings: TlsSettings): tls.TlsOptions => {
  const { tlsAuthClients, tlsDhParamsFile } = settings
  const made: tls.TlsOptions = {
    ...identity(settings),
    ...protocols(settings.tlsProtocols),
    // Without any named, no peer is known; Node would take those that the world trusts.
    ca: [...authorities(settings)],
    requestCert: tlsAuthClients !== "no",
    // Of who may come without a certificate, one that is not accepted is looked at afterwards.
    rejectUnauthorized: tlsAuthClients === "yes",
    dhparam: tlsDhParamsFile === "" ? "auto" : contents("tls-dh-params-file", tlsDhParamsFile),
    ciphers: ciphers(settings),
    honorCipherOrder: settings.tlsPreferServerCiphers,
    // Node takes 0 for its own default.
    sessionTimeout: Math.max(1, settings.tlsSessionCacheTimeout),
  }
  tls.createSecureContext(made)
  return made
}

const contents = (setting: SettingName, path: string): Buffer => {
  try {
    return readFileSync(path)
  } catch (cause) {
    return refuse(`${setting} ${path}: ${systemReason(cause)}`, cause)
  }
}

/** The server's certificate, with those it is signed by, and its key. Differs: redis-server takes a key of another kind than the certificate's. */
const identity = ({ tlsCertFile, tlsKeyFile, tlsKeyFilePass }: TlsSettings) => {
  if (tlsCertFile === "") refuse("there is no tls-cert-file")
  if (tlsKeyFile === "") refuse("there is no tls-key-file")
  const cert = contents("tls-cert-file", tlsCertFile)
  const certificate = certificateOf("tls-cert-file", tlsCertFile, cert)
  const text = contents("tls-key-file", tlsKeyFile)
  try {
    const passphrase = Buffer.from(tlsKeyFilePass, "latin1")
    const key = createPrivateKey({ key: text, format: "pem", ...(tlsKeyFilePass === "" ? {} : { passphrase }) })
    if (!certificate.checkPrivateKey(key)) refuse(`tls-key-file ${tlsKeyFile} is not the key of tls-cert-file`)
    return { cert, key: key.export({ type: "pkcs8", format: "pem" }) }
  } catch (cause) {
    if (cause instanceof SocketError) throw cause
    const isLocked = text.includes("ENCRYPTED")
    return refuse(
      !isLocked
        ? `tls-key-file ${tlsKeyFile} holds no private key that can be read`
        : tlsKeyFilePass === ""
          ? `tls-key-file ${tlsKeyFile} needs a tls-key-file-pass`
          : `tls-key-file-pass does not open tls-key-file ${tlsKeyFile}`,
      cause,
    )
  }
}

/** The first certificate of a file. */
const certificateOf = (setting: SettingName, path: string, pem: Buffer): X509Certificate => {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    return refuse(`${setting} ${path} holds no certificate that can be read`, cause)
  }
}

const certificatePattern = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----.*?-----END (?:TRUSTED )?CERTIFICATE-----/gs

/** What peers' certificates may be signed by. */
const authorities = ({ tlsAuthClients, tlsCaCertDir, tlsCaCertFile }: TlsSettings): ReadonlyArray<string> => {
  // Differs: redis-server takes it from CONFIG SET all the same, and refuses everybody.
  if (tlsAuthClients !== "no" && tlsCaCertFile === "" && tlsCaCertDir === "") {
    refuse(
      `tls-auth-clients ${tlsAuthClients} needs a tls-ca-cert-file or tls-ca-cert-dir, by which clients are known; ` +
        "tls-auth-clients no lets all in",
    )
  }
  const found: Array<string> = []
  if (tlsCaCertFile !== "") found.push(...certificatesOf("tls-ca-cert-file", tlsCaCertFile))
  if (tlsCaCertDir !== "") {
    // Of a directory OpenSSL sees what `openssl rehash` made, and no error if it is not there. Differs: it looks whenever one is asked for.
    for (const name of filesOf(tlsCaCertDir)) found.push(...certificatesOf("tls-ca-cert-dir", join(tlsCaCertDir, name)))
  }
  return found
}

const certificatesOf = (setting: SettingName, path: string): ReadonlyArray<string> => {
  const found = contents(setting, path).latin1Slice().match(certificatePattern) ?? []
  if (found.length === 0) refuse(`${setting} ${path} holds no certificate that can be read`)
  for (const text of found) certificateOf(setting, path, Buffer.from(text, "latin1"))
  return found
}

const filesOf = (directory: string): ReadonlyArray<string> => {
  try {
    return readdirSync(directory).filter((name) => /^[0-9a-f]{8}\.[0-9]+$/.test(name))
  } catch {
    return []
  }
}

const protocolNames = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const
const withoutProtocol = [
  constants.SSL_OP_NO_TLSv1,
  constants.SSL_OP_NO_TLSv1_1,
  constants.SSL_OP_NO_TLSv1_2,
  constants.SSL_OP_NO_TLSv1_3,
] as const

/** Node takes the first and the last of them, and those between only as what is left out. */
const protocols = (text: string) => {
  const words = text.split(" ").filter((word) => word !== "")
  const chosen = words.map((word) => protocolNames.findIndex((name) => name.toLowerCase() === word.toLowerCase()))
  if (chosen.includes(-1)) refuse(`tls-protocols takes some of ${protocolNames.join(", ")}`)
  const numbers = chosen.length === 0 ? [2, 3] : chosen
  const [first, last] = [Math.min(...numbers), Math.max(...numbers)]
  const left = withoutProtocol.filter((_, i) => i > first && i < last && !numbers.includes(i))
  return {
    minVersion: protocolNames[first]!,
    maxVersion: protocolNames[last]!,
    secureOptions: left.reduce((bits, bit) => bits | bit, 0),
  }
}

/**
 * Node takes those of TLS 1.3, which have names of their own, and the others as one list. Names that are not known are passed over.
 * Differs: without any the choice is Node's, and not that of the system's OpenSSL.
 */
const ciphers = ({ tlsCiphers, tlsCiphersuites }: TlsSettings): string => {
  const isSuite = (name: string): boolean => name.startsWith("TLS_")
  const usual = tls.DEFAULT_CIPHERS.split(":")
  const known = new Set(tls.getCiphers())
  const suites =
    tlsCiphersuites === ""
      ? usual.filter(isSuite)
      : tlsCiphersuites.split(":").filter((name) => known.has(name.toLowerCase()) && isSuite(name))
  if (suites.length === 0) refuse("tls-ciphersuites names no cipher suite of TLS 1.3 that is known")
  const others = tlsCiphers === "" ? usual : tlsCiphers.split(/[:, ]/)
  return [...suites, ...others.filter((name) => !isSuite(name))].join(":")
}
