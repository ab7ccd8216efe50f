import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { chooseSandboxDriver } from './choose-driver.ts';
import { ENFORCEMENT_PROPERTIES } from './enforcement-facts.ts';

describe('the choice of the driver', () => {
  let dataDir: string;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'hearth-choose-'));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(dataDir, { recursive: true });
  });

  test('process isolates nothing and says so for each property', async () => {
    const { driver, facts, reason } = await chooseSandboxDriver('process', dataDir);
    await using _ = driver;
    expect([driver.name, reason]).toEqual(['process', 'it was asked for']);
    expect(facts.map(({ property }) => property)).toEqual(ENFORCEMENT_PROPERTIES);
    expect(facts.some(({ enforced }) => enforced)).toBe(false);
    expect(Object.values(driver.enforcement)).not.toContain(true);
  });

  test('auto gives a driver that works, with a fact for each property', async () => {
    const { driver, facts, reason } = await chooseSandboxDriver('auto', dataDir);
    await using _ = driver;
    expect(reason).not.toBe('');
    expect(facts.map(({ property }) => property)).toEqual(ENFORCEMENT_PROPERTIES);
    for (const fact of facts) {
      expect(driver.enforcement[fact.property]).toBe(fact.enforced);
      expect(fact.enforced || fact.reason).toBeTruthy();
    }
  });

  // The last place where programs are looked for is fixed, so the platform stands in for it.
  test('without what it needs, namespace is one clear error and auto falls back', async () => {
    const platform = Object.getOwnPropertyDescriptor(process, 'platform');
    Object.defineProperty(process, 'platform', { value: 'sunos' });
    try {
      await expect(chooseSandboxDriver('namespace', dataDir)).rejects.toThrow(
        'Cannot use the sandbox driver namespace: Cannot use namespaces as the platform must be linux: sunos',
      );
      const { driver, reason, facts } = await chooseSandboxDriver('auto', dataDir);
      await using _ = driver;
      expect(driver.name).toBe('process');
      expect(reason).toContain('namespace cannot run here: Cannot use namespaces');
      expect(facts[0]).toMatchObject({ enforced: false, property: 'memory' });
    } finally {
      if (platform !== undefined) Object.defineProperty(process, 'platform', platform);
    }
    expect(readdirSync(join(dataDir, 'run'))).toEqual([]);
  });
});
