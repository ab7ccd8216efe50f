import { readFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script, constants as vmConstants } from 'node:vm';
import { unpackCodeCache, type CachedCode } from './code-cache-file.ts';

/** The file in the folder that INIT names. */
export const CODE_CACHE_FILE = 'v8.cache';

/** Below this, compiling costs less than looking for what was compiled before. */
const MIN_SOURCE_LENGTH = 1_024;
/** Layers; in a sandbox without a root of its own they are found by NODE_PATH alone. */
const LAYERS = '/opt';

/** What `Module.prototype._compile` calls for a CommonJS module. */
type ModuleFunction = (...args: unknown[]) => unknown;
type Compile = (this: object, content: string, filename: string, ...rest: unknown[]) => unknown;
type Checksum = (text: string) => number;

interface CompiledScript {
  readonly filename: string;
  readonly content: string;
  readonly script: Script;
}

/**
 * V8's compiled code of the function's CommonJS modules: used where a former environment left it,
 * collected where the server wants it.
 *
 * Node.js compiles modules as functions, of which V8 gives out code only as it was before they ran.
 * As scripts they give it out later, with all that has been compiled by then. So `_compile` gets the
 * module's function from here, and goes on with it as always; for anything unusual it is left alone.
 */
export class CodeCache {
  readonly #roots: readonly string[];
  readonly #isCollecting: boolean;
  readonly #checksum: Checksum;
  #cached: ReadonlyMap<string, CachedCode>;
  readonly #scripts: CompiledScript[] = [];
  #collected: CompiledScript[] | undefined;
  #uninstall: () => void = () => {};
  #rejected = 0;
  #accepted = 0;

  private constructor(
    roots: readonly string[],
    cached: ReadonlyMap<string, CachedCode>,
    isCollecting: boolean,
    checksum: Checksum,
  ) {
    this.#checksum = checksum;
    this.#roots = roots;
    this.#cached = cached;
    this.#isCollecting = isCollecting;
  }

  /**
   * Undefined where there is nothing to use or collect, or where this Node.js cannot: modules are
   * then loaded as if there were no cache. `cache` is a folder or the bytes themselves.
   */
  static create(
    taskRoot: string,
    cache: string | Uint8Array | undefined,
    isCollecting: boolean,
  ): CodeCache | undefined {
    if (cache === undefined && !isCollecting) return undefined;
    const checksum = findChecksum();
    if (checksum === undefined) return undefined;
    const roots = [taskRoot, LAYERS, ...(process.env['NODE_PATH'] ?? '').split(':')]
      .filter((folder) => folder.startsWith('/'))
      .map((folder) => (folder.endsWith('/') ? folder : `${folder}/`));
    return new CodeCache(roots, readCache(cache), isCollecting, checksum);
  }

  /** Everything that was tried did not fit this Node.js: a cache made elsewhere. */
  get isStale(): boolean {
    return this.#rejected > 0 && this.#accepted === 0;
  }

  /** From now on CommonJS modules are compiled here where possible. */
  install(): void {
    const prototype: object = Module.prototype;
    const original: unknown = Reflect.get(prototype, '_compile');
    const wrap: unknown = Module.wrap;
    const [head, tail] = WRAPPER;
    if (!isCompile(original) || Module.wrap('') !== head + tail) return;
    const compileAsAlways = original;
    const produce = (content: string, filename: string, format: unknown): unknown => {
      // A function that changes the wrapper or wants source maps gets what Node.js does then.
      if (Module.wrap !== wrap || process.sourceMapsEnabled) return undefined;
      if (format !== undefined && format !== null && format !== 'commonjs') return undefined;
      return this.#compile(content, filename);
    };
    function _compile(this: object, ...args: Parameters<Compile>): unknown {
      const [content, filename, ...rest] = args;
      const compiled = produce(content, filename, rest[0]);
      if (compiled === undefined) return Reflect.apply(compileAsAlways, this, args);
      Object.defineProperty(this, HANDED_OVER, { value: compiled, configurable: true });
      return Reflect.apply(compileAsAlways, this, [STAND_IN, filename, ...rest]);
    }
    Reflect.set(prototype, '_compile', _compile);
    this.#uninstall = () => {
      if (Reflect.get(prototype, '_compile') === _compile) {
        Reflect.set(prototype, '_compile', original);
      }
    };
  }

  /** Frees what was read. Modules that are loaded later are compiled as if this had never been. */
  retire(): void {
    this.#uninstall();
    this.#cached = new Map();
  }

  /** Takes the code of one more script, the largest first; undefined when there are no more. */
  collect(): CachedCode | undefined {
    this.#collected ??= [...this.#scripts].sort((a, b) => a.content.length - b.content.length);
    const next = this.#collected.pop();
    if (next === undefined) return undefined;
    const { filename, content, script } = next;
    return {
      filename,
      length: content.length,
      crc: this.#checksum(content),
      code: script.createCachedData(),
    };
  }

  #compile(content: string, filename: string): ModuleFunction | undefined {
    const cached = this.#find(content, filename);
    if (cached === undefined && !this.#isCollected(content, filename)) return undefined;
    const [head, tail] = WRAPPER;
    let script: Script;
    try {
      script = new Script(head + withoutHashbang(content) + tail, {
        filename,
        // The wrapper must not move what is on the first line.
        columnOffset: -head.length,
        importModuleDynamically: vmConstants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
        ...(cached !== undefined && { cachedData: cached.code }),
      });
    } catch {
      // An ES module, or an error: Node.js knows what to do, and how to tell it.
      return undefined;
    }
    if (cached !== undefined) {
      if (script.cachedDataRejected === true) this.#rejected += 1;
      else this.#accepted += 1;
    }
    const compiled: unknown = script.runInThisContext();
    if (!isWhole(compiled, content)) return undefined;
    if (this.#isCollecting) this.#scripts.push({ filename, content, script });
    return compiled;
  }

  #find(content: string, filename: string): CachedCode | undefined {
    const found = this.#cached.get(filename);
    if (found === undefined || found.length !== content.length) return undefined;
    return found.crc === this.#checksum(content) ? found : undefined;
  }

  #isCollected(content: string, filename: string): boolean {
    return (
      this.#isCollecting &&
      content.length >= MIN_SOURCE_LENGTH &&
      this.#roots.some((root) => filename.startsWith(root))
    );
  }
}

const WRAPPER = [
  '(function (exports, require, module, __filename, __dirname) { ',
  '\n});',
] as const;
const HANDED_OVER = Symbol.for('hearth.compiledModule');

/**
 * Compiled by Node.js in the module's place, so that all it does around a module stays as it is. It
 * shows in stack traces, under the name of the runtime's entry point rather than of the module.
 */
const STAND_IN =
  'const compiled = module[Symbol.for("hearth.compiledModule")]; ' +
  'delete module[Symbol.for("hearth.compiledModule")]; ' +
  'return Reflect.apply(compiled, this, arguments);\n//# sourceURL=/var/runtime/index.mjs';

function isCompile(value: unknown): value is Compile {
  return typeof value === 'function';
}

/** Undefined before Node.js 20.15 and 22.2: nothing quick to compare with, or no `import()` in scripts. */
function findChecksum(): Checksum | undefined {
  if (vmConstants?.USE_MAIN_CONTEXT_DEFAULT_LOADER === undefined) return undefined;
  // Costs a millisecond to load, which a function without a cache need not pay.
  const zlib: { crc32?: Checksum } = createRequire('/var/runtime/index.mjs')('node:zlib');
  return zlib.crc32;
}

function readCache(cache: string | Uint8Array | undefined): ReadonlyMap<string, CachedCode> {
  if (cache === undefined) return new Map();
  try {
    const bytes = typeof cache === 'string' ? readFileSync(join(cache, CODE_CACHE_FILE)) : cache;
    return unpackCodeCache(bytes);
  } catch {
    // Not there, not whole or not ours: a function never fails for its cache.
    return new Map();
  }
}

/** A script cannot have it behind the wrapper's head. */
function withoutHashbang(content: string): string {
  return content.startsWith('#!') ? `//${content.slice(2)}` : content;
}

/** False for a module that ends the wrapper itself, such as `}); (function () {`: an error by rights. */
function isWhole(compiled: unknown, content: string): compiled is ModuleFunction {
  if (typeof compiled !== 'function') return false;
  const [head, tail] = WRAPPER;
  // Without the parenthesis before it, and the one and the semicolon behind.
  const length = head.length - 1 + content.length + tail.length - 2;
  return Function.prototype.toString.call(compiled).length === length;
}
