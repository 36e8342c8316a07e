// The peer of `./dev bench engine`: the same operations, sizes, keys and options with @harperfast/rocksdb-js on Node.
//
// The bench copies this file beside the installed package and starts it once. It reads one request a line as JSON from
// its standard input and prints one answer a line: {"perSecond": 1.5} or {"error": "why"}. Its first line names the
// versions. Of several ways to do the same, the synchronous one is used: it is the package's quickest, because nothing
// goes through the event loop.
//
// Written against the documented interface of the package, and run with version 2.7.1 built from its source, since
// the registry did not carry the package.

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { RocksDatabase, versions } from '@harperfast/rocksdb-js';

const KEY_BYTES = 16;
const VALUE_BYTES = 100;
const values = randomBytes(1 << 20);
let position = 0;

// The number in big-endian, filled up with the digit zero, as the other sides of the comparison write it.
function key(number) {
  const made = Buffer.alloc(KEY_BYTES, '0');
  made.writeBigUInt64BE(BigInt(number), 0);
  return made;
}

function value() {
  if (position + VALUE_BYTES > values.length) {
    position = 0;
  }

  const slice = values.subarray(position, position + VALUE_BYTES);
  position += VALUE_BYTES;
  return slice;
}

function random(bound) {
  return Math.floor(Math.random() * bound);
}

function open(request) {
  RocksDatabase.config({ blockCacheSize: request.cacheBytes });
  return RocksDatabase.open(request.directory, {
    encoding: 'binary',
    keyEncoding: 'binary',
    compression: 'none',
    writeBufferSize: request.writeBufferBytes,
    maxWriteBufferNumber: 4,
  });
}

function openFresh(request) {
  rmSync(request.directory, { recursive: true, force: true });
  return open(request);
}

function perSecond(operations, startedAt) {
  return operations / (Number(process.hrtime.bigint() - startedAt) / 1e9);
}

function now() {
  return process.hrtime.bigint();
}

function scan(db, options) {
  let seen = 0;
  let bytes = 0;
  for (const entry of db.getRange(options)) {
    seen++;
    bytes += entry.key.length + entry.value.length;
  }

  if (bytes !== seen * (KEY_BYTES + VALUE_BYTES)) {
    throw new Error(`${seen} entries had ${bytes} bytes`);
  }

  return seen;
}

// The package's ranges leave the block cache as it is unless they are told to fill it.
function warm(db) {
  scan(db, { fillCache: true });
}

// Into the package's own buffer, which the next read overwrites: the nearest to a read into the caller's buffer.
function getAll(db, request) {
  const startedAt = now();
  for (let i = 0; i < request.operations; i++) {
    if (db.getBinaryFastSync(key(random(request.records))) === undefined) {
      throw new Error('a record was not found');
    }
  }

  return perSecond(request.operations, startedAt);
}

function putBatches(db, operations, batch, next) {
  for (let i = 0; i < operations; i += batch) {
    db.transactionSync((transaction) => {
      for (let j = 0; j < batch; j++) {
        transaction.putSync(key(next(i + j)), value());
      }
    });
  }
}

function logged(db, request, withLog) {
  const log = withLog ? db.useLog('changes') : undefined;
  const startedAt = now();
  for (let i = 0; i < request.operations; i++) {
    const written = value();
    db.transactionSync((transaction) => {
      transaction.putSync(key(random(request.records)), written);
      log?.addEntry(written, transaction.id);
    });
  }

  return perSecond(request.operations, startedAt);
}

const operations = {
  async load(request) {
    const db = openFresh(request);
    const startedAt = now();
    putBatches(db, request.records, 1000, (i) => i);
    await db.flush();
    await db.compact();
    const rate = perSecond(request.records, startedAt);
    await db.createCheckpoint(request.target); // What is written to later; the reads keep theirs as it is.
    db.close();
    return rate;
  },

  put(request) {
    const db = openFresh(request);
    const startedAt = now();
    for (let i = 0; i < request.operations; i++) {
      db.putSync(key(random(request.records)), value());
    }

    const rate = perSecond(request.operations, startedAt);
    db.close();
    return rate;
  },

  hot(request) {
    const db = open(request);
    warm(db);
    const rate = getAll(db, request);
    db.close();
    return rate;
  },

  // The bench drops the files from the page cache before it asks.
  cold(request) {
    const db = open(request);
    const rate = getAll(db, request);
    db.close();
    return rate;
  },

  batch(request) {
    const db = openFresh(request);
    const startedAt = now();
    putBatches(db, request.operations, request.batch, () => random(request.records));
    const rate = perSecond(request.operations, startedAt);
    db.close();
    return rate;
  },

  transaction(request) {
    const db = open(request);
    warm(db);
    const startedAt = now();
    for (let i = 0; i < request.operations; i++) {
      db.transactionSync((transaction) => {
        for (let j = 0; j < request.batch; j++) {
          const one = key(random(request.records));
          if (transaction.getSync(one) === undefined) {
            throw new Error('a record was not found');
          }

          transaction.putSync(one, value());
        }
      });
    }

    const rate = perSecond(request.operations, startedAt);
    db.close();
    return rate;
  },

  range(request) {
    const db = open(request);
    warm(db);
    const startedAt = now();
    for (let i = 0; i < request.operations; i++) {
      const first = random(request.records - request.length + 1);
      const seen = scan(db, { start: key(first), end: key(first + request.length) });
      if (seen !== request.length) {
        throw new Error(`a range of ${request.length} had ${seen} entries`);
      }
    }

    const rate = perSecond(request.operations, startedAt);
    db.close();
    return rate;
  },

  async checkpoint(request) {
    const db = open(request);
    let took = 0n;
    for (let i = 0; i < request.operations; i++) {
      db.putSync(key(random(request.records)), value());
      const startedAt = now();
      await db.createCheckpoint(request.target);
      took += now() - startedAt;
      rmSync(request.target, { recursive: true, force: true });
    }

    db.close();
    return request.operations / (Number(took) / 1e9);
  },

  // Into a new directory all of it is copied, into one that has a backup only what that lacks.
  async backup(request) {
    const db = open(request);
    if (request.changes > 0) {
      if (!existsSync(request.target)) {
        await db.backup(request.target, { maxBackgroundOperations: 4 });
      }

      putBatches(db, request.changes, 100, () => random(request.records));
      await db.flush();
    } else {
      rmSync(request.target, { recursive: true, force: true });
    }

    const startedAt = now();
    await db.backup(request.target, { maxBackgroundOperations: 4 });
    const rate = perSecond(1, startedAt);
    db.close();
    return rate;
  },

  // A put with an entry of the same bytes in the transaction log; without, the same put in a transaction.
  log(request) {
    const db = openFresh(request);
    const rate = logged(db, request, request.logged);
    db.close();
    return rate;
  },
};

// The package bundles its manifest's version where a release was built; beside a development build it is read.
function packageVersion() {
  if (/^[0-9]/.test(versions['rocksdb-js'])) {
    return versions['rocksdb-js'];
  }

  const manifest = new URL('./node_modules/@harperfast/rocksdb-js/package.json', import.meta.url);
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}

const version = `${packageVersion()} (RocksDB ${versions.rocksdb}, Node ${process.versions.node})`;
process.stdout.write(JSON.stringify({ version }) + '\n');
for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const request = JSON.parse(line);
    answer = { perSecond: await operations[request.operation](request) };
  } catch (error) {
    answer = { error: error?.stack ?? String(error) };
  }

  process.stdout.write(JSON.stringify(answer) + '\n');
}
