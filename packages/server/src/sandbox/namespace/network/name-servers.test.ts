import { expect, test } from 'vitest';
import { nameService } from './name-servers.ts';

const RELAY = '10.208.0.2';
const service = (file: string, own: readonly string[] = []) =>
  nameService(file, RELAY, new Set(own));

test('name servers of other machines are asked by environments themselves', () => {
  expect(service('nameserver 192.168.1.1\nnameserver 9.9.9.9\nsearch lan\n')).toEqual({
    resolverFile: 'nameserver 192.168.1.1\nnameserver 9.9.9.9\nsearch lan\n',
    relayTo: [],
  });
});

test.each([
  ['on loopback, as that of systemd-resolved', '127.0.0.53'],
  ['link-local, as that of a cloud', '169.254.169.253'],
  ['of IPv6', 'fe80::1'],
])('a name server %s is asked by the relay', (_, server) => {
  expect(service(`nameserver ${server}\noptions edns0 trust-ad\n`)).toEqual({
    resolverFile: `nameserver ${RELAY}\noptions edns0 trust-ad\n`,
    relayTo: [server],
  });
});

test('a name server at an address of the host is asked by the relay', () => {
  expect(service('nameserver 192.168.1.7\n', ['192.168.1.7']).relayTo).toEqual(['192.168.1.7']);
});

test('of several, those that cannot be reached are left out', () => {
  expect(service('nameserver 127.0.0.1\nnameserver 1.1.1.1\n')).toEqual({
    resolverFile: 'nameserver 1.1.1.1\n',
    relayTo: [],
  });
});

test('a file that names nobody means this machine', () => {
  expect(service('# nothing\n')).toEqual({
    resolverFile: `nameserver ${RELAY}\n`,
    relayTo: ['127.0.0.1'],
  });
});

test('what is no address is not taken for one', () => {
  expect(service('nameserver $(id)\nnameserver\n').relayTo).toEqual(['127.0.0.1']);
});
