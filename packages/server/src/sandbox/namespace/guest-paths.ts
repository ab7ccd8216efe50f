import type { GuestPaths } from '../sandbox.ts';

/** Where everything is, seen from inside; the paths of AWS, and one of Hearth's own. */
export const GUEST_PATHS: GuestPaths = {
  task: '/var/task',
  runtime: '/var/runtime',
  language: '/var/lang',
  opt: '/opt',
  tmp: '/tmp',
  cache: '/var/hearth/cache',
};
