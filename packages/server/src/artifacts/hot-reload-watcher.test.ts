import { renameSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../clock/manual-clock.ts';
import { SystemClock } from '../clock/system-clock.ts';
import { hotReloadDirectory } from './hot-reload-directory.ts';
import { HotReloadWatcher, type HotReloadWatcherOptions } from './hot-reload-watcher.ts';

/** A folder that is watched with real time; `next` settles with the next change told. */
async function watched(options: Partial<HotReloadWatcherOptions> = {}) {
  const outer = await realpath(await mkdtemp(join(tmpdir(), 'hearth-reload-')));
  const directory = join(outer, 'code');
  await mkdir(join(directory, 'lib'), { recursive: true });
  await writeFile(join(directory, 'index.js'), '1');
  const faults: Error[] = [];
  const watcher = new HotReloadWatcher({
    clock: new SystemClock(),
    onFault: (error) => faults.push(error),
    quietMs: 20,
    ...options,
  });
  let waiting = Promise.withResolvers<void>();
  let changes = 0;
  const watch = watcher.watch(directory, () => {
    changes += 1;
    waiting.resolve();
  });
  await watch.ready;
  return {
    outer,
    directory,
    watcher,
    watch,
    faults,
    get changes() {
      return changes;
    },
    async after(change: () => Promise<unknown>): Promise<void> {
      waiting = Promise.withResolvers();
      await change();
      await waiting.promise;
    },
    async [Symbol.asyncDispose]() {
      await watcher[Symbol.asyncDispose]();
      await rm(outer, { recursive: true, force: true });
    },
  };
}

/** A clock that tells when a timer is started. */
class ObservedClock extends ManualClock {
  #started = Promise.withResolvers<void>();

  override startTimer(delayMs: number, callback: () => void) {
    const timer = super.startTimer(delayMs, callback);
    this.#started.resolve();
    return timer;
  }

  async timerStarted(): Promise<void> {
    await this.#started.promise;
    this.#started = Promise.withResolvers();
  }
}

describe('HotReloadWatcher', () => {
  test('tells of files that are changed, added, removed, renamed and moved in by folders', async () => {
    await using under = await watched();
    const { directory, outer } = under;
    await under.after(() => writeFile(join(directory, 'index.js'), 'changed'));
    await under.after(() => writeFile(join(directory, 'lib', 'new.js'), 'new'));
    await under.after(() => rename(join(directory, 'lib/new.js'), join(directory, 'lib/old.js')));
    await under.after(() => rm(join(directory, 'lib', 'old.js')));
    await mkdir(join(outer, 'more/deep'), { recursive: true });
    await writeFile(join(outer, 'more/deep/x.js'), 'x');
    await under.after(() => rename(join(outer, 'more'), join(directory, 'more')));
    await under.after(() => writeFile(join(directory, 'more/deep/x.js'), 'changed'));
    expect(under.faults).toEqual([]);
  });

  test('a folder that disappears and returns is watched again', async () => {
    await using under = await watched();
    await under.after(() => rm(under.directory, { recursive: true }));
    await under.after(async () => {
      await mkdir(under.directory);
      await writeFile(join(under.directory, 'index.js'), '2');
    });
    await under.after(() => writeFile(join(under.directory, 'index.js'), 'changed'));
    await under.after(() => writeFile(join(under.directory, 'other.js'), 'added'));
    expect(under.faults).toEqual([]);
  });

  test('a folder that is replaced by another is watched again', async () => {
    await using under = await watched();
    const next = join(under.outer, 'next');
    await mkdir(join(next, 'lib'), { recursive: true });
    await writeFile(join(next, 'index.js'), '2');
    await under.after(async () => {
      // Before anybody can see that it is gone.
      renameSync(under.directory, join(under.outer, 'previous'));
      renameSync(next, under.directory);
    });
    await under.after(() => writeFile(join(under.directory, 'index.js'), 'changed'));
    expect(under.faults).toEqual([]);
  });

  test('an install is seen, what lies inside a package is not', async () => {
    await using under = await watched({ quietMs: 150 });
    const modules = join(under.directory, 'node_modules');
    await under.after(() => mkdir(join(modules, 'a/lib'), { recursive: true }));
    await under.after(() => mkdir(join(modules, '@scope/b'), { recursive: true }));
    const before = under.changes;
    await writeFile(join(modules, 'a/lib/index.js'), '1');
    await writeFile(join(modules, '@scope/b/index.js'), '1');
    await mkdir(join(under.directory, '__pycache__'));
    await mkdir(join(under.directory, '.git'));
    // Events come in order: once this one is told, the others would have been.
    await under.after(() => writeFile(join(modules, '.package-lock.json'), '{}'));
    expect(under.changes).toBe(before + 1);
  });

  test('a link is watched, its target is not', async () => {
    await using under = await watched({ quietMs: 150 });
    const target = join(under.outer, 'target');
    await mkdir(target);
    await under.after(() => symlink(target, join(under.directory, 'link')));
    const before = under.changes;
    await writeFile(join(target, 'file'), '1');
    await under.after(() => writeFile(join(under.directory, 'index.js'), 'changed'));
    expect(under.changes).toBe(before + 1);
  });

  test('a run of changes is told once, when it has been quiet', async () => {
    const clock = new ObservedClock();
    await using under = await watched({ clock, quietMs: 100, maxWaitMs: 1_000 });
    await writeFile(join(under.directory, 'index.js'), 'a');
    await clock.timerStarted();
    clock.advance(99);
    expect(under.changes).toBe(0);
    await writeFile(join(under.directory, 'lib/other.js'), 'b');
    await clock.timerStarted();
    clock.advance(1);
    expect(under.changes).toBe(0);
    clock.advance(100);
    expect(under.changes).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test('changes that never end are told all the same', async () => {
    const clock = new ObservedClock();
    await using under = await watched({ clock, quietMs: 100, maxWaitMs: 250 });
    for (let round = 0; under.changes === 0 && round < 10; round += 1) {
      await writeFile(join(under.directory, `${round}.js`), 'x');
      await clock.timerStarted();
      clock.advance(90);
    }
    expect(under.changes).toBe(1);
    expect(clock.monotonicMs()).toBe(270);
  });

  test('watches of one folder share a watcher and are told each; a closed one is not', async () => {
    await using under = await watched({ quietMs: 150 });
    let others = 0;
    const other = under.watcher.watch(under.directory, () => {
      others += 1;
    });
    await other.ready;
    await under.after(() => writeFile(join(under.directory, 'index.js'), 'a'));
    expect(others).toBe(1);
    other.close();
    other.close();
    await under.after(() => writeFile(join(under.directory, 'index.js'), 'b'));
    expect(others).toBe(1);
  });

  test('after close or dispose no timer is left and nothing is told', async () => {
    const clock = new ObservedClock();
    await using under = await watched({ clock });
    await writeFile(join(under.directory, 'index.js'), 'a');
    await clock.timerStarted();
    under.watch.close();
    await under.watcher[Symbol.asyncDispose]();
    expect(clock.pendingTimers).toBe(0);
    clock.advance(10_000);
    expect(under.changes).toBe(0);
    expect(() => under.watcher.watch(under.directory, () => undefined)).toThrow('disposed');
  });

  test('a folder with too many folders is watched in part, and that is said', async () => {
    await using under = await watched({ maxFolders: 3 });
    for (let index = 0; index < 5; index += 1) await mkdir(join(under.directory, `d${index}`));
    await under.after(() => writeFile(join(under.directory, 'index.js'), 'changed'));
    expect(under.faults.map(({ message }) => message)).toEqual([
      `Cannot watch all of ${under.directory} for changes: it holds more than 3 folders`,
    ]);
  });
});

describe('hotReloadDirectory', () => {
  test('gives the real path of a folder', async () => {
    await using under = await watched();
    await symlink(under.directory, join(under.outer, 'link'));
    expect(await hotReloadDirectory(join(under.outer, 'link'))).toBe(under.directory);
    expect(await hotReloadDirectory(`${under.directory}/lib/..`)).toBe(under.directory);
  });

  test.each([
    ['code', 'an absolute path'],
    ['', 'an absolute path'],
    ['../code', 'an absolute path'],
    ['/nowhere/at/all', 'an existing folder'],
    ['/tmp\0x', 'an existing folder'],
    [import.meta.filename, 'a folder'],
    ['/', 'a folder below the root'],
    ['/tmp/..', 'a folder below the root'],
  ])('refuses %j and says what is wanted', async (s3Key, wanted) => {
    await expect(hotReloadDirectory(s3Key)).rejects.toMatchObject({
      code: 'InvalidParameterValueException',
      message: `Cannot run code in place as S3Key must be ${wanted}: received ${JSON.stringify(s3Key)}`,
    });
  });
});
