// Builds the browser's side into ../static, with built.json beside it: what it was built from, for the tests.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

const here = import.meta.dirname;
const out = join(here, '..', 'static');

/** Every file below a folder, as names from it with slashes, sorted by code points; no hidden ones, no packages. */
function below(folder: string): string[] {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep))
    .filter((parts) => !parts.some((part) => part.startsWith('.') || part === 'node_modules'));
  return found.map((parts) => parts.join('/')).sort((a, b) => (a < b ? -1 : 1));
}

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
const hashes = (folder: string) =>
  Object.fromEntries(below(folder).map((name) => [name, sha256(readFileSync(join(folder, name)))]));

function noted(): Plugin {
  return {
    name: 'noted',
    closeBundle() {
      const { 'built.json': _, ...files } = hashes(out);
      writeFileSync(join(out, 'built.json'), JSON.stringify({ sources: hashes(here), files }, null, 1) + '\n');
    },
  };
}

export default defineConfig({
  root: here,
  plugins: [svelte(), noted()],
  build: {
    outDir: out,
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // the page's policy forbids data: addresses
    modulePreload: { polyfill: false },
  },
});
