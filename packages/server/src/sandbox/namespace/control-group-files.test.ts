import { describe, expect, test } from 'vitest';
import { parseHierarchies } from './control-group-files.ts';

describe('hierarchies of control groups', () => {
  test('version 1 has one for each controller or pair, the server somewhere below each', () => {
    const mountInfo = [
      '31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
      '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct',
      '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:7 - cgroup cgroup rw,memory',
      '40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd',
      '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw',
    ].join('\n');
    const membership =
      '9:name=systemd:/\n4:memory:/jobs/one\n3:cpuset:/\n1:cpu,cpuacct:/\n0::/user\n';
    expect(parseHierarchies(mountInfo, membership)).toEqual([
      {
        version: 1,
        controllers: ['cpu', 'cpuacct'],
        mountPoint: '/sys/fs/cgroup/cpu,cpuacct',
        own: '/sys/fs/cgroup/cpu,cpuacct/',
      },
      {
        version: 1,
        controllers: ['memory'],
        mountPoint: '/sys/fs/cgroup/memory',
        own: '/sys/fs/cgroup/memory/jobs/one',
      },
      {
        version: 1,
        controllers: ['name=systemd'],
        mountPoint: '/sys/fs/cgroup/systemd',
        own: '/sys/fs/cgroup/systemd/',
      },
      {
        version: 2,
        controllers: [''],
        mountPoint: '/sys/fs/cgroup/unified',
        own: '/sys/fs/cgroup/unified/user',
      },
    ]);
  });

  test.each([
    ['/docker/1', '/docker/1/below', '/sys/fs/cgroup/below'],
    ['/docker/1', '/docker/1', '/sys/fs/cgroup/'],
    ['/docker/1', '/docker/12', '/sys/fs/cgroup/'],
    ['/', '/../../other', '/sys/fs/cgroup/'],
  ])('a mount of %s shows a server in %s as %s', (root, path, own) => {
    const mountInfo = `30 23 0:26 ${root} /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate`;
    expect(parseHierarchies(mountInfo, `0::${path}\n`)[0]?.own).toBe(own);
  });

  test('white space in a mount point is unescaped', () => {
    const mountInfo = '30 23 0:26 / /mnt/my\\040groups rw - cgroup2 cgroup2 rw';
    expect(parseHierarchies(mountInfo, '0::/\n')[0]?.mountPoint).toBe('/mnt/my groups');
  });

  test('a machine without control groups has none', () => {
    expect(parseHierarchies('22 27 0:21 / /proc rw - proc proc rw\n', '')).toEqual([]);
  });
});
