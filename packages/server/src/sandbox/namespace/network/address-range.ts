import { mkdirSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../../system-calls/error-code.ts';
import { claimsOf } from '../claims.ts';
import { MOUNT_ROOT } from '../mount-folder.ts';
import type { Route } from './link-requests.ts';

const PREFIX_LENGTH = 18;
const RANGE_ADDRESSES = 2 ** (32 - PREFIX_LENGTH);
/** Of the host's end, of the router's end, and what is kept for later. */
const RESERVED_ADDRESSES = 16;
const CLAIMS_FOLDER = join(MOUNT_ROOT, 'networks');

/**
 * Where ranges are looked for, in this order: parts of the private networks that are seldom used,
 * then the addresses of providers' own networks (RFC 6598) and of benchmarks (RFC 2544).
 */
const SOURCES = [
  '10.208.0.0/12',
  '172.24.0.0/13',
  '192.168.128.0/17',
  '100.96.0.0/11',
  '198.18.0.0/15',
];

/**
 * IPv4 addresses of one instance's environments, which nothing else on the machine uses. An address
 * is given out again only after all others have been.
 */
export class AddressRange implements Disposable {
  /** `10.208.0.0/18`. */
  readonly text: string;
  /** Of the host, towards the environments. */
  readonly host: string;
  /** Of the router, where environments send everything. */
  readonly gateway: string;
  readonly #claim: string;
  readonly #first: number;
  readonly #used = new Set<number>();
  #next = RESERVED_ADDRESSES;

  private constructor(claim: string, first: number) {
    this.#claim = claim;
    this.#first = first;
    this.text = `${formatAddress(first)}/${PREFIX_LENGTH}`;
    this.host = formatAddress(first + 1);
    this.gateway = formatAddress(first + 2);
  }

  /**
   * Claims a range that no other instance has and no route of the host leads to.
   *
   * @throws Error where there is none
   */
  static claim(instanceId: string, routes: readonly Route[]): AddressRange {
    mkdirSync(CLAIMS_FOLDER, { recursive: true, mode: 0o755 });
    for (const first of freeRanges(routes)) {
      const claim = join(CLAIMS_FOLDER, formatAddress(first));
      try {
        // Made with its content at once, and by one instance only.
        symlinkSync(instanceId, claim);
        return new AddressRange(claim, first);
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error;
      }
    }
    throw new Error(`all of ${SOURCES.join(', ')} is in use by routes of the host`);
  }

  acquire(): string {
    for (let tries = RESERVED_ADDRESSES; tries < RANGE_ADDRESSES; tries += 1) {
      const offset = this.#next;
      // The last one would be the address for all in the eyes of some programs.
      this.#next = offset + 2 < RANGE_ADDRESSES ? offset + 1 : RESERVED_ADDRESSES;
      if (!this.#used.has(offset)) {
        this.#used.add(offset);
        return formatAddress(this.#first + offset);
      }
    }
    throw new Error(`Cannot give out an address as all of ${this.text} are in use`);
  }

  release(address: string): void {
    this.#used.delete(parseAddress(address) - this.#first);
  }

  [Symbol.dispose](): void {
    unlinkSync(this.#claim);
  }
}

/** First addresses of the ranges that no route but the default one leads to. */
export function freeRanges(routes: readonly Route[]): number[] {
  const taken = routes
    .filter(({ prefixLength }) => prefixLength > 0)
    .map(({ destination, prefixLength }) => ({
      first: destination,
      end: destination + 2 ** (32 - prefixLength),
    }));
  return SOURCES.flatMap((source) => {
    const [address = '', length = ''] = source.split('/');
    const first = parseAddress(address);
    const count = 2 ** (PREFIX_LENGTH - Number(length));
    return Array.from({ length: count }, (_, index) => first + index * RANGE_ADDRESSES);
  }).filter((first) =>
    taken.every((other) => first + RANGE_ADDRESSES <= other.first || first >= other.end),
  );
}

/** Claims of an instance, as paths: what it holds on to from before it makes a way out to after. */
export function addressClaims(instanceId: string): string[] {
  return claimsOf(CLAIMS_FOLDER, instanceId);
}

/** `10.0.0.1` as a number. */
export function parseAddress(text: string): number {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** A number as `10.0.0.1`. */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}
