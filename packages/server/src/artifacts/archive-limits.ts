/**
 * Bounds on what an archive may ask of this machine. AWS names only the two sizes of
 * domain/limits.ts; these are Hearth's own, far above what real packages reach.
 */

/** Files, symbolic links and folders of one archive, folders that are only implied included. */
export const MAX_ARCHIVE_NODES = 100_000;
/** One name, in bytes: what file systems take. */
export const MAX_NAME_BYTES = 255;
/** A path inside the archive, in bytes: leaves room for the data folder below Linux's 4,096. */
export const MAX_PATH_BYTES = 2_048;
/** Links that are followed while one link is resolved; the kernel's own bound. */
export const MAX_LINKS_FOLLOWED = 40;
/** Steps taken to resolve all links of one archive: bounds the time that crafted chains take. */
export const MAX_LINK_STEPS = 2_000_000;
