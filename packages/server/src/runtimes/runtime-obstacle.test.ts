import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, onTestFinished } from 'vitest';
import { javaClientDirectory } from './java-client.ts';
import type { RuntimeCatalog } from './runtime-catalog.ts';
import { runtimeObstacle } from './runtime-obstacle.ts';

const EMPTY: RuntimeCatalog = {
  resolve: () => Promise.resolve(undefined),
  list: () => Promise.resolve([]),
};
const JAVA: RuntimeCatalog = {
  ...EMPTY,
  resolve: () =>
    Promise.resolve({
      interpreter: {
        family: 'java',
        version: '21.0.1',
        prefix: '/j',
        program: 'bin/java',
        origin: 'PATH',
      },
      exact: true,
    }),
};

test('a runtime whose program comes with the function needs nothing', async () => {
  expect(await runtimeObstacle('provided.al2023', EMPTY, '/none')).toBeUndefined();
});

test('without an interpreter it is told how to get one', async () => {
  expect(await runtimeObstacle('python3.12', EMPTY, '/none')).toMatch(
    /none was found\. See: hearth runtimes install python3\.12$/,
  );
});

test('a Java alone is not enough', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'hearth-obstacle-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  expect(await runtimeObstacle('java21', JAVA, dataDir)).toMatch(
    /client for Java must be installed: run hearth runtimes install java21$/,
  );
  mkdirSync(javaClientDirectory(dataDir), { recursive: true });
  expect(await runtimeObstacle('java21', JAVA, dataDir)).toBeUndefined();
});
