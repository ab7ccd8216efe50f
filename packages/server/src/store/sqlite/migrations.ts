/**
 * Steps from an empty file to the present schema, in order; the file's `user_version` counts those
 * that it has. A step that was released is never changed: what follows is a new one.
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE functions (
     account_id    TEXT NOT NULL,
     region        TEXT NOT NULL,
     function_name TEXT NOT NULL,
     version       TEXT NOT NULL,
     revision_id   TEXT NOT NULL,
     settings      TEXT NOT NULL,
     PRIMARY KEY (account_id, region, function_name, version)
   ) STRICT, WITHOUT ROWID`,
  // The numbers that were given outlive the versions that had them.
  `CREATE TABLE layers (
     account_id   TEXT NOT NULL,
     region       TEXT NOT NULL,
     layer_name   TEXT NOT NULL,
     last_version INTEGER NOT NULL,
     PRIMARY KEY (account_id, region, layer_name)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE layer_versions (
     account_id TEXT NOT NULL,
     region     TEXT NOT NULL,
     layer_name TEXT NOT NULL,
     version    INTEGER NOT NULL,
     settings   TEXT NOT NULL,
     PRIMARY KEY (account_id, region, layer_name, version)
   ) STRICT, WITHOUT ROWID`,
];
