// Serves the dashboard from disk and passes everything else to a running vedette, with the headers
// that the binary sends. For development, and for the browser tests.
//
//   node dev-server.mjs [port] [address of vedette]

import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { readFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const FILES = fileURLToPath(new URL('../../src/ui/web/', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };

export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

async function serveFile(path, response) {
  const safe = normalize(path).replace(/^(\.\.[/\\])+/, '');
  try {
    const body = await readFile(join(FILES, safe));
    response.writeHead(200, { 'Content-Type': TYPES[extname(safe)] ?? 'application/octet-stream', 'Cache-Control': 'no-cache', 'Content-Security-Policy': CSP, 'X-Content-Type-Options': 'nosniff' });
    response.end(body);
  } catch {
    response.writeHead(404).end('no such file');
  }
}

async function serveIndex(incoming, response) {
  const theme = /vedette-theme=(dark|light)/.exec(incoming.headers.cookie ?? '')?.[1] ?? '';
  const text = (await readFile(join(FILES, 'index.html'), 'utf8')).replace('data-theme=""', `data-theme="${theme}"`);
  const etag = `"${createHash('sha256').update(text).digest('hex').slice(0, 16)}"`;
  response.writeHead(200, { 'Content-Type': TYPES['.html'], 'Cache-Control': 'no-cache', ETag: etag, 'Content-Security-Policy': CSP });
  response.end(text);
}

/**
 * @param {{port?: number, target: string, intercept?: (incoming: any, response: any) => boolean}} options intercept: answers by itself and says so
 */
export function startServer({ port = 0, target, intercept }) {
  const url = new URL(target);
  const server = createServer((incoming, response) => {
    const path = new URL(incoming.url ?? '/', 'http://x').pathname;
    if (intercept?.(incoming, response)) return;
    if (path.startsWith('/ui/@/')) void serveFile(path.slice('/ui/@/'.length), response);
    else if (path === '/ui' || path.startsWith('/ui/')) void serveIndex(incoming, response);
    else {
      // With the page's own Host, as a proxy should: vedette compares it with Origin.
      const passed = request({ host: url.hostname, port: url.port, path: incoming.url, method: incoming.method, headers: incoming.headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      passed.on('error', () => {
        if (!response.headersSent) response.writeHead(502);
        response.end();
      });
      incoming.pipe(passed);
    }
  });
  server.on('upgrade', (incoming, socket) => {
    const other = connect(Number(url.port), url.hostname, () => {
      const head = Object.entries(incoming.headers).map(([name, value]) => `${name}: ${value}`);
      other.write(`${incoming.method} ${incoming.url} HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`);
      other.pipe(socket).pipe(other);
    });
    other.on('error', () => socket.destroy());
    socket.on('error', () => other.destroy());
  });
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => resolve({ server, port: /** @type {any} */ (server.address()).port }));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { port } = await startServer({ port: Number(process.argv[2] ?? 9312), target: process.argv[3] ?? 'http://127.0.0.1:9311' });
  console.log(`the dashboard is at http://127.0.0.1:${port}/ui/`);
}
