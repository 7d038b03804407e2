/** Nothing but the triggers, which come anew with the newest migration: they read the settings once a command. */
import type { Migration } from './migration.ts';

export const capture: Migration = { number: 6, name: 'capture', up: () => [] };
