import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { RuntimeError } from './errors.ts';
import type { Handler } from './handler.ts';

/** Named as AWS Lambda's own entry point, so that "Require stack" reads as it does there. */
const ENTRY_POINT = '/var/runtime/index.mjs';

/** From this version on Node.js loads TypeScript by itself, and so does AWS Lambda. */
const FIRST_WITH_TYPESCRIPT = 24;

/**
 * Finds and loads the handler, `dir/file.name.inner`, below the task root. Rejects with a
 * RuntimeError where it is malformed, cannot be found or has a syntax error, and with whatever the
 * function's own code throws.
 */
export async function loadHandler(taskRoot: string, handler: string): Promise<Handler> {
  if (handler.includes('..')) {
    throw new RuntimeError(
      'MalformedHandlerName',
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const file = basename(handler);
  const directory = handler.slice(0, handler.indexOf(file));
  const dot = file.indexOf('.');
  if (dot === -1) throw new RuntimeError('MalformedHandlerName', 'Bad handler');
  const exports = await loadModule(taskRoot, directory, file.slice(0, dot));
  return pick(exports, file.slice(dot + 1), handler);
}

async function loadModule(taskRoot: string, directory: string, name: string): Promise<unknown> {
  try {
    return await loadFirst(taskRoot, directory, name);
  } catch (error) {
    if (error instanceof SyntaxError) {
      const wrapped = new RuntimeError('UserCodeSyntaxError', String(error));
      // The stack of a syntax error starts with the line that is wrong.
      if (error.stack !== undefined) wrapped.stack = error.stack;
      throw wrapped;
    }
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') {
      throw new RuntimeError('ImportModuleError', String(error));
    }
    throw error;
  }
}

/** Tries the candidates in AWS Lambda's order; a module whose exports are falsy counts as not there. */
async function loadFirst(taskRoot: string, directory: string, name: string): Promise<unknown> {
  const path = resolve(taskRoot, directory, name);
  const isModule = isInModulePackage(dirname(path));
  // A new one each time: it stands for a parent module, which remembers what it has loaded.
  const userRequire = createRequire(ENTRY_POINT);
  return (
    requireFile(userRequire, path) ||
    (isModule ? await importFile(`${path}.js`) : requireFile(userRequire, `${path}.js`)) ||
    (await importFile(`${path}.mjs`)) ||
    requireFile(userRequire, `${path}.cjs`) ||
    (await loadTypeScript(userRequire, path, isModule)) ||
    userRequire(userRequire.resolve(name, { paths: [taskRoot, directory] }))
  );
}

async function loadTypeScript(
  userRequire: NodeJS.Require,
  path: string,
  isModule: boolean,
): Promise<unknown> {
  if (Number(process.versions.node.split('.')[0]) < FIRST_WITH_TYPESCRIPT) return undefined;
  return (
    (isModule ? await importFile(`${path}.ts`) : requireFile(userRequire, `${path}.ts`)) ||
    (await importFile(`${path}.mts`)) ||
    requireFile(userRequire, `${path}.cts`)
  );
}

function requireFile(userRequire: NodeJS.Require, path: string): unknown {
  return existsSync(path) ? userRequire(path) : undefined;
}

async function importFile(path: string): Promise<unknown> {
  return existsSync(path) ? import(pathToFileURL(path).href) : undefined;
}

/** Whether the nearest package.json, not looking out of a node_modules folder, says `type: module`. */
function isInModulePackage(folder: string): boolean {
  if (folder.endsWith('/node_modules')) return false;
  const path = join(folder, 'package.json');
  if (existsSync(path)) {
    try {
      const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
      if (content)
        return typeof content === 'object' && 'type' in content && content.type === 'module';
    } catch (error) {
      console.warn(
        `${path} cannot be read, it will be ignored for ES module detection purposes.`,
        error,
      );
      return false;
    }
  }
  const parent = dirname(folder);
  return parent !== folder && isInModulePackage(parent);
}

function pick(exports: unknown, path: string, handler: string): Handler {
  let found = exports;
  for (const key of path.split('.')) {
    if (!found) break;
    found = Reflect.get(Object(found), key);
  }
  if (!found) throw new RuntimeError('HandlerNotFound', `${handler} is undefined or not exported`);
  if (isFunction(found)) return found;
  throw new RuntimeError('HandlerNotFound', `${handler} is not a function`);
}

function isFunction(value: unknown): value is Handler {
  return typeof value === 'function';
}
