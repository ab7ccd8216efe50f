import { cannotUnzip } from './archive-error.ts';
import { MAX_ARCHIVE_NODES, MAX_LINK_STEPS, MAX_LINKS_FOLLOWED } from './archive-limits.ts';

interface FileNode {
  readonly kind: 'file';
}
interface LinkNode {
  readonly kind: 'link';
  /** Names of the target, relative to the folder that holds the link. */
  readonly target: readonly string[];
}
interface FolderNode {
  readonly kind: 'folder';
  readonly children: Map<string, TreeNode>;
  /** An entry of its own named it; otherwise it is only on the way to another. */
  isNamed: boolean;
}
type TreeNode = FileNode | LinkNode | FolderNode;

/**
 * What an archive would become on disk, decided before anything is written. Each path is taken once
 * and by one kind, nothing lies below a link, and no link leads out of the root.
 */
export class ArchiveTree {
  readonly #root: FolderNode = { kind: 'folder', children: new Map(), isNamed: true };
  readonly #links: { readonly parents: readonly FolderNode[]; readonly node: LinkNode }[] = [];
  /** Paths of all folders below the root, parents first. */
  readonly folderPaths: string[] = [];
  #nodes = 0;

  /** The root may be named (`./`) any number of times. */
  addFolder(names: readonly string[]): void {
    if (names.length === 0) return;
    const folder = this.#folders(names).at(-1);
    if (folder === undefined || folder.isNamed) throw cannotUnzip('a folder is there twice');
    folder.isNamed = true;
  }

  addFile(names: readonly string[]): void {
    this.#add(names, { kind: 'file' });
  }

  addLink(names: readonly string[], target: readonly string[]): void {
    const node: LinkNode = { kind: 'link', target };
    this.#links.push({ parents: this.#add(names, node), node });
  }

  /** Resolves every link as the kernel would; throws where one leads out of the root or in circles. */
  assertLinksStayInside(): void {
    const budget = { steps: MAX_LINK_STEPS };
    for (const { parents, node } of this.#links) resolveLink(parents, node, budget);
  }

  #add(names: readonly string[], node: FileNode | LinkNode): readonly FolderNode[] {
    const name = names.at(-1);
    if (name === undefined) throw cannotUnzip('an entry takes the place of the root folder');
    const parents = this.#folders(names.slice(0, -1));
    const parent = parents.at(-1) ?? this.#root;
    if (parent.children.has(name)) throw cannotUnzip('two entries have the same path');
    this.#count();
    parent.children.set(name, node);
    return parents;
  }

  /** The folders on the way, the root first; makes those that are missing. */
  #folders(names: readonly string[]): FolderNode[] {
    const way = [this.#root];
    let folder = this.#root;
    for (const [depth, name] of names.entries()) {
      const child = folder.children.get(name);
      if (child !== undefined) {
        if (child.kind !== 'folder') throw cannotUnzip(`an entry lies below a ${child.kind}`);
        folder = child;
      } else {
        this.#count();
        const made: FolderNode = { kind: 'folder', children: new Map(), isNamed: false };
        folder.children.set(name, made);
        this.folderPaths.push(names.slice(0, depth + 1).join('/'));
        folder = made;
      }
      way.push(folder);
    }
    return way;
  }

  #count(): void {
    this.#nodes += 1;
    if (this.#nodes > MAX_ARCHIVE_NODES) {
      throw cannotUnzip(`the archive has more than ${MAX_ARCHIVE_NODES} files and folders`);
    }
  }
}

function resolveLink(
  parents: readonly FolderNode[],
  link: LinkNode,
  budget: { steps: number },
): void {
  // The way from the root to where we are; `undefined` is a folder that does not exist.
  const way: (FolderNode | undefined)[] = [...parents];
  const rest = link.target.toReversed();
  let followed = 0;
  for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
    budget.steps -= 1;
    if (budget.steps < 0) throw cannotUnzip('the links of the archive take too long to resolve');
    if (name === '..') {
      way.pop();
      if (way.length === 0) throw cannotUnzip('a link leads out of the folder');
      continue;
    }
    const child = way.at(-1)?.children.get(name);
    if (child?.kind !== 'link') {
      way.push(child?.kind === 'folder' ? child : undefined);
      continue;
    }
    followed += 1;
    if (followed > MAX_LINKS_FOLLOWED) {
      throw cannotUnzip(`a link goes through more than ${MAX_LINKS_FOLLOWED} others`);
    }
    budget.steps -= child.target.length;
    rest.push(...child.target.toReversed());
  }
}
