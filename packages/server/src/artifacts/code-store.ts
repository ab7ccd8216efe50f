/** What an archive was stored as. */
export interface StoredCode {
  /** Base64 of the SHA-256 of the archive, as `CodeSha256` is answered. */
  readonly sha256: string;
  /** Size of the archive in bytes (`CodeSize`). */
  readonly sizeBytes: number;
}

/**
 * Content-addressed code on this machine: each archive is checked, unpacked once at deploy and
 * never changed afterwards.
 */
export interface CodeStore {
  /**
   * Checks and unpacks an archive. The same bytes give the same folder, also when stored by two
   * callers at once. Rejects with an InvalidParameterValueException (ServiceError), and leaves
   * nothing behind, where the archive is refused.
   */
  put(archive: Uint8Array): Promise<StoredCode>;
  /** The folder that an archive was unpacked to: absolute, read-only. */
  directory(sha256: string): string;
  /** The archive's own bytes, as GetFunction's `Location` serves them. */
  archive(sha256: string): NodeJS.ReadableStream;
  /** True where the archive is here. */
  has(sha256: string): Promise<boolean>;
  /** True where the archive is here; `retain` then spares it as if it had just been put. */
  keep(sha256: string): Promise<boolean>;
  /** Bytes that an archive's files and links take unpacked. Rejects where it is not here. */
  unzippedBytes(sha256: string): Promise<number>;
  /**
   * Removes every archive that is not named; for the server's start and after deletes. May spare
   * what was put a moment ago, so that whoever put it has time to write down that it is in use.
   */
  retain(sha256s: ReadonlySet<string>): Promise<void>;
}
