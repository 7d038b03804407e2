/** Runs once before the suite. */
export function setup(): void {}
