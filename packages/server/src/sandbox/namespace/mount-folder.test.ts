import { mkdirSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadLinuxSystemCalls, MountFlag } from '../../system-calls/linux-system-calls.ts';
import { createInstanceId } from '../instance-record.ts';
import {
  createMountFolder,
  createMountRoot,
  makeFolder,
  mountTreeReadOnly,
  removeMountFolder,
  unmountIfMounted,
} from './mount-folder.ts';

test('a tree of the host keeps its mounts when the folder where it is shown is removed', async ({
  skip,
}) => {
  skip(process.platform !== 'linux' || process.getuid?.() !== 0, 'needs root on Linux');
  const calls = await loadLinuxSystemCalls();
  await using made = new AsyncDisposableStack();
  const host = mkdtempSync(join(realpathSync(tmpdir()), 'hearth-tree-'));
  made.defer(() => rm(host, { recursive: true }));
  calls.mount('hearth-test', host, 'tmpfs', 0, '');
  made.defer(() => unmountIfMounted(calls, host));
  calls.mount('', host, '', MountFlag.shared, '');
  const below = join(host, 'below');
  mkdirSync(below);
  calls.mount('hearth-test', below, 'tmpfs', 0, '');
  writeFileSync(join(below, 'file'), 'content');

  createMountRoot();
  const instanceId = createInstanceId();
  made.defer(() => removeMountFolder(calls, instanceId));
  const folder = createMountFolder(calls, instanceId, 0);
  const [whole, halfway] = [join(folder, 'whole'), join(folder, 'halfway')];
  for (const target of [whole, halfway]) makeFolder(target, 0o755);
  mountTreeReadOnly(calls, host, whole);
  expect(readFileSync(join(whole, 'below', 'file'), 'utf8')).toBe('content');
  expect(() => writeFileSync(join(whole, 'new'), '')).toThrow('EROFS');
  // As a server leaves it that is killed between two calls.
  calls.mount(host, halfway, '', MountFlag.bind | MountFlag.recursive, '');
  await removeMountFolder(calls, instanceId);
  expect(readFileSync(join(below, 'file'), 'utf8')).toBe('content');
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(instanceId);
});
