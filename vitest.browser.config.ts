/**
 * @file Tests in headless Chromium: the laws of the engine, and what lies in a `test/browser` folder.
 * Packages resolve to their sources as in Node. The browser is the one inside `@sparticuz/chromium`.
 */
import { playwright } from '@vitest/browser-playwright';
import { defaultClientConditions, type Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { chromium, chromiumFlags } from './tools/chromium.mjs';

const conditions = ['@camada/source', ...defaultClientConditions];

/** Cross-origin isolation: without it a page has no SharedArrayBuffer, and so no threads. */
const isolation: Plugin = {
  name: 'cross-origin-isolation',
  enforce: 'pre',
  configureServer(server) {
    server.middlewares.use((_request, response, next) => {
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
      response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
      response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
      next();
    });
  },
};

const { executablePath, env } = chromium();

export default defineConfig({
  plugins: [isolation],
  resolve: { conditions },
  optimizeDeps: {
    include: [
      'fast-check',
      '@huggingface/hub',
      '@huggingface/jinja',
      '@huggingface/tokenizers',
      'papaparse',
    ],
    exclude: ['webgpu'],
  },
  test: {
    name: 'browser',
    include: ['packages/*/test/laws/**/*.test.ts', 'packages/*/test/browser/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      instances: [{ browser: 'chromium' }],
      provider: playwright({ launchOptions: { executablePath, env, args: chromiumFlags } }),
    },
  },
});
