/** Limits of AWS Lambda; MB means 1,024 × 1,024 bytes. */

/** A synchronous request, in bytes. */
export const MAX_REQUEST_BYTES = 6_291_456;
/** A buffered response: 6 MB + 100 bytes. */
export const MAX_RESPONSE_BYTES = 6_291_556;
/** What `X-Amz-Log-Result` carries at most, before base64. */
export const MAX_LOG_TAIL_BYTES = 4_096;
/** Init longer than this is ended and run again inside the first invoke. */
export const INIT_TIMEOUT_MS = 10_000;
/** A zip archive sent with the request. */
export const MAX_ZIPPED_BYTES = 52_428_800;
/** Code and layers unpacked. */
export const MAX_UNZIPPED_BYTES = 262_144_000;
/** User environment variables, keys and values together. */
export const MAX_ENVIRONMENT_BYTES = 4_096;
