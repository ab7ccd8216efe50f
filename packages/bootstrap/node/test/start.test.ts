import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { buildForTest } from './node-under-test.ts';

const { directory, file } = buildForTest();
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('started by hand it says who starts it', () => {
  const { status, stderr } = spawnSync(process.execPath, [file], { env: {}, encoding: 'utf8' });
  expect(status).toBe(2);
  expect(stderr).toBe(
    'Cannot start the Node.js bootstrap as _HEARTH_CHANNEL_FD and _LAMBDA_TELEMETRY_LOG_FD must be ' +
      'file descriptors: hearth starts it\n',
  );
});
