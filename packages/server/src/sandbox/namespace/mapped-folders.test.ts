import { chmodSync, mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, type TestContext } from 'vitest';
import { loadLinuxSystemCalls, SystemCallError } from '../../system-calls/linux-system-calls.ts';
import { loadMountTreeCalls, type MountTreeCalls } from '../../system-calls/mount-tree-calls.ts';
import { CodeFolderError, SandboxError } from '../sandbox.ts';
import { descriptorCount, mountLines, privateFolder } from './folder-fixture.ts';
import { MappedFolders } from './mapped-folders.ts';
import { StagedDirectories } from './staged-directories.ts';

const user = { uid: 54_321, gid: 54_321 };

// What a machine cannot do is played: the one that runs the tests may be able to.
describe('where the system does not show files as those of others', () => {
  let outer: string;
  let folder: string;

  beforeEach((context: TestContext) => {
    context.skip(process.platform !== 'linux' || process.getuid?.() !== 0, 'needs root on Linux');
    outer = realpathSync(mkdtempSync(join(tmpdir(), 'hearth-mapped-')));
    chmodSync(outer, 0o755);
    folder = privateFolder(join(outer, 'code'));
  });
  afterEach(() => {
    if (outer !== undefined) rmSync(outer, { recursive: true });
  });

  test.each([
    ['changeIds', 'EINVAL'],
    ['changeIds', 'EPERM'],
    ['openFolder', 'ENOSYS'],
    ['restrictMounts', 'ENOSYS'],
  ] as const)('(%s: %s) a private folder is refused, with what helps', async (call, code) => {
    const before = descriptorCount();
    const subject = await stagedOn(outer, { [call]: failWith(code) });
    const expected =
      `Cannot show ${folder} to a function as all users must be able to read it: mode 700, and ` +
      `its file system maps no users (${code}). To let them: chmod -R a+rX ${folder}`;
    await expect(subject.acquireInPlace(folder, user)).rejects.toThrow(
      new CodeFolderError(expected),
    );
    await expect(subject.acquire(folder, user)).rejects.toThrow(new SandboxError(expected));
    await expect(subject.acquireTree(folder, user)).rejects.toThrow(new SandboxError(expected));
    expect(descriptorCount()).toBe(before);
    expect(mountLines(folder)).toEqual([]);
  });

  test('one that everyone may read is shown as it is', async () => {
    chmodSync(folder, 0o755);
    const subject = await stagedOn(outer, { changeIds: failWith('EINVAL') });
    const shown = await subject.acquireInPlace(folder, user);
    expect(statSync(join(shown.path, 'code.txt')).uid).toBe(0);
    await shown.release();
  });
});

async function stagedOn(
  places: string,
  failing: Partial<MountTreeCalls>,
): Promise<StagedDirectories> {
  const calls = await loadLinuxSystemCalls();
  const treeCalls = { ...(await loadMountTreeCalls()), ...failing };
  return new StagedDirectories(calls, places, new MappedFolders(calls, treeCalls, places));
}

function failWith(code: string): () => never {
  return () => {
    throw new SystemCallError('call', '3', code);
  };
}
