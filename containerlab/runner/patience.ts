/** How much longer everything may take: inside a user-mode kernel, starting a process takes seconds. */
export const PATIENCE = process.env['POPLIN_LAB_MACHINE'] === undefined ? 1 : 10;
