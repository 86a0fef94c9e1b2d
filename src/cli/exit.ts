/** Exit codes of all commands (design §9): 4 is timed out, or unknown whether it was done. */
export const EXIT = { done: 0, failed: 1, usage: 2, connect: 3, timeout: 4 } as const;
