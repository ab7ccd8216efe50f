import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { BwrapStatus } from './bwrap-status.ts';

test('the first process is known as soon as its line is there, however it is cut', async () => {
  const stream = new PassThrough();
  const status = new BwrapStatus(stream);
  for (const part of ['{ "child', '-pid": 12', '345, "pid-namespace": 4026532181 }\n\n']) {
    stream.write(part);
  }
  expect(await status.childPid).toBe(12_345);
  expect(status.exitCode).toBeUndefined();
  stream.end('{ "exit-code": 137 }\n');
  await status.ended;
  expect(status.exitCode).toBe(137);
});

test('a bubblewrap that fails at once has neither process nor status', async () => {
  const stream = new PassThrough();
  const status = new BwrapStatus(stream);
  stream.end();
  expect(await status.childPid).toBeUndefined();
  expect(status.exitCode).toBeUndefined();
});
