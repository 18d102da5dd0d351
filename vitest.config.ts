/**
 * @file Tests in Node. Packages resolve to their sources (export condition `@camada/source`), so one
 * test runs without a build. The browser's part is in `vitest.browser.config.ts`.
 */
import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

const conditions = ['@camada/source', ...defaultServerConditions];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    name: 'node',
    include: ['packages/*/test/**/*.test.ts', 'examples/test/**/*.test.ts'],
    exclude: ['**/test/browser/**', '**/node_modules/**'],
    pool: 'forks',
    execArgv: ['--expose-gc'],
    env: { CAMADA_WEBGPU_ADAPTER: process.env['CAMADA_WEBGPU_ADAPTER'] ?? 'swiftshader' },
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
