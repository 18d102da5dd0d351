#!/usr/bin/env node
// Committed rather than built: npm links commands before `prepare` has made dist/.
import { main } from '../dist/cli/main.js';

process.exitCode = await main(process.argv.slice(2));
