import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  claimForwarding,
  type ForwardingFolders,
  forwardsByItself,
  releaseForwarding,
} from './ip-forwarding.ts';

let root: string;
let folders: ForwardingFolders;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hearth-forwarding-'));
  folders = { claims: join(root, 'claims'), settings: join(root, 'settings') };
  mkdirSync(join(folders.settings, 'eth0'), { recursive: true });
  set('0');
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function set(value: string): void {
  writeFileSync(join(folders.settings, 'eth0', 'forwarding'), `${value}\n`);
}

function forwarding(): string {
  return readFileSync(join(folders.settings, 'eth0', 'forwarding'), 'utf8').trim();
}

test('forwarding is on while an instance needs it, and off when the last one goes', () => {
  expect(forwardsByItself('eth0', folders)).toBe(false);
  claimForwarding('one', 'eth0', folders);
  expect(forwarding()).toBe('1');
  // The second sees that it is on, and that this is because of the first.
  expect(forwardsByItself('eth0', folders)).toBe(false);
  claimForwarding('two', 'eth0', folders);
  releaseForwarding('one', folders);
  expect(forwarding()).toBe('1');
  releaseForwarding('two', folders);
  expect(forwarding()).toBe('0');
  expect(readdirSync(folders.claims)).toEqual([]);
});

test('forwarding that the host has on is none of ours', () => {
  set('1');
  expect(forwardsByItself('eth0', folders)).toBe(true);
  releaseForwarding('one', folders);
  expect(forwarding()).toBe('1');
});

test('claiming twice counts once', () => {
  claimForwarding('one', 'eth0', folders);
  claimForwarding('one', 'eth0', folders);
  releaseForwarding('one', folders);
  expect(forwarding()).toBe('0');
});

test('a link that is gone is no obstacle to giving it up', () => {
  claimForwarding('one', 'eth0', folders);
  rmSync(join(folders.settings, 'eth0'), { recursive: true });
  releaseForwarding('one', folders);
  expect(readdirSync(folders.claims)).toEqual([]);
});

test('a link that is not there cannot be claimed', () => {
  expect(() => claimForwarding('one', 'wlan0', folders)).toThrow('ENOENT');
});
