/**
 * What is needed of `node:http`. An `import` of that module reads each of its exports once, WebSocket and its kin among
 * them, and so loads a whole HTTP client that costs 6 MB of memory and that nobody here uses.
 */
export const { createServer, request } = process.getBuiltinModule('node:http');
