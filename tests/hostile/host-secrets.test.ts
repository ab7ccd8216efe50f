import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { invoke } from '../support/function.ts';
import { HostileServer } from '../support/hostile-server.ts';
import { startServerAsProcess } from '../support/server-as-process.ts';

/** Looks for a text in every file, variable and command line that it can get at. */
const SEARCH_PY = `
import os, stat
LIMIT = 1_000_000

def holds(path, needle):
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as file:
            return needle in file.read(LIMIT)
    except OSError:
        return False

def handler(event, context):
    # Put together here: the event itself must not be found.
    needle = (event["left"] + event["right"]).encode()
    found = []
    if any(needle.decode() in value for value in os.environ.values()):
        found.append("environ")
    for folder, folders, files in os.walk("/", onerror=lambda error: None):
        # The system's and the language's own files, the same for everybody.
        if folder in ("/usr", "/var/lang", "/nix", "/proc/sys", "/etc/ssl"):
            folders.clear()
            continue
        if folder == "/proc":
            folders[:] = [name for name in folders if name.isdigit() or name in ("self", "net", "sysvipc")]
        found += [path for path in (os.path.join(folder, name) for name in files) if holds(path, needle)]
        for name in files + folders:
            path = os.path.join(folder, name)
            if os.path.islink(path) and needle.decode() in os.readlink(path):
                found.append(path)
    hosts = [os.path.exists(path) for path in event["paths"]]
    return {"found": found, "hosts": hosts, "variables": sorted(os.environ)}
`;

const LEFT = 'host-secret-';
const RIGHT = '4f1c9a';

describe('E. Secrets of the host', () => {
  let home: string;
  let hostile: HostileServer;
  beforeAll(async () => {
    home = await realpath(await mkdtemp(join(tmpdir(), 'hearth-home-')));
    await mkdir(join(home, '.aws'));
    await writeFile(
      join(home, '.aws', 'credentials'),
      `[default]\naws_access_key_id=${LEFT}${RIGHT}\naws_secret_access_key=${LEFT}${RIGHT}\n`,
    );
    await writeFile(join(home, '.netrc'), `machine example.com password ${LEFT}${RIGHT}\n`);
    hostile = await HostileServer.open(
      await startServerAsProcess({
        HOME: home,
        AWS_ACCESS_KEY_ID: `${LEFT}${RIGHT}`,
        AWS_SECRET_ACCESS_KEY: `${LEFT}${RIGHT}`,
        AWS_SESSION_TOKEN: `${LEFT}${RIGHT}`,
        NPM_TOKEN: `${LEFT}${RIGHT}`,
        LD_LIBRARY_PATH: `/${LEFT}${RIGHT}`,
        DATABASE_URL: `postgres://user:${LEFT}${RIGHT}@localhost/db`,
      }),
    );
  });
  afterAll(async () => {
    await hostile?.[Symbol.asyncDispose]();
    await rm(home, { recursive: true });
  });

  test('E56 no credential or variable of the server or the deployer is visible', async (context) => {
    hostile.requires(context, 'filesystem', 'processIsolation');
    hostile.requiresPython(context);
    // Found where it is, so that the search is one.
    const own = `${SEARCH_PY}\n# ${LEFT}${RIGHT}\n`;
    const settings = { MemorySize: 1_769, Timeout: 60 };
    await hostile.deployPython('own', own, settings);
    await hostile.deployPython('search', SEARCH_PY, settings);
    const event = { left: LEFT, right: RIGHT, paths: [home, '/root', hostile.dataDir] };
    expect((await invoke(hostile.client, 'own', event)).result).toMatchObject({
      found: ['/var/task/app.py'],
    });
    // Twice: from a new process and from one that was used.
    for (const _round of [1, 2]) {
      const { result } = await hostile.besideNeighbour(invoke(hostile.client, 'search', event));
      expect(result).toMatchObject({ found: [], hosts: [false, false, false] });
      const { variables } = result as { variables: string[] };
      expect(variables).not.toContain('NPM_TOKEN');
      expect(variables).not.toContain('DATABASE_URL');
      expect(variables).not.toContain('HOME');
    }
  });

  test('E56 the variables are those of the function, and nothing else', async () => {
    await hostile.deployNode(
      'variables',
      `exports.handler = async () => ({
        key: process.env.AWS_ACCESS_KEY_ID,
        names: Object.keys(process.env).filter((name) => !/^(AWS_|_?LAMBDA_|_X_AMZN|_HANDLER|_AWS_)/.test(name)),
      });`,
      { Environment: { Variables: { MINE: 'yes' } } },
    );
    const { result } = await invoke(hostile.client, 'variables');
    expect(result).toEqual({
      // The number of the account.
      key: '000000000000',
      names: expect.arrayContaining(['MINE', 'PATH', 'LANG', 'TZ', 'NODE_PATH', 'LD_LIBRARY_PATH']),
    });
    const { names } = result as { names: string[] };
    const own = new Set(['MINE', 'PATH', 'LANG', 'TZ', 'NODE_PATH', 'LD_LIBRARY_PATH', 'TMPDIR']);
    expect(names.filter((name) => !own.has(name) && !name.startsWith('_HEARTH'))).toEqual([]);
  });
});
