import { expect, test } from 'vitest';
import { parseDroppingChains } from './packet-filter.ts';

test('chains for forwarding whose policy is to drop are found, and no others', () => {
  const listing = `table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
	chain DOCKER-USER {
	}
}
table inet other {
	chain forward {
		type filter hook forward priority filter + 10; policy accept;
	}
}
table inet strict {
	chain pass {
		type filter hook forward priority -5; policy drop;
	}
}
`;
  expect(parseDroppingChains(listing)).toEqual(['ip filter FORWARD', 'inet strict pass']);
});
