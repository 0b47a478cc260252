// Stands between the page and a vedette, as proxies of the world do: it may refuse WebSockets, hold
// back streams, or drop everything that is open.

import { createServer, request } from 'node:http';
import { connect } from 'node:net';

/**
 * @param {string} target address of a vedette
 * @returns {Promise<{base: string, deny: Set<'ws' | 'sse'>, hangUp: () => void, end: () => void}>}
 */
export function startProxy(target) {
  const url = new URL(target);
  const deny = new Set();
  const open = new Set();
  const server = createServer((incoming, response) => {
    if (deny.has('sse') && incoming.url.startsWith('/api/v1/live/events')) {
      response.writeHead(502).end();
      return;
    }
    // With the page's own Host, as a proxy should: vedette compares it with Origin.
    const passed = request({ host: url.hostname, port: url.port, path: incoming.url, method: incoming.method, headers: incoming.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => {
      if (!response.headersSent) response.writeHead(502);
      response.end();
    });
    response.on('close', () => passed.destroy());
    incoming.pipe(passed);
  });
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  server.on('upgrade', (incoming, socket) => {
    if (deny.has('ws')) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      return;
    }
    const other = connect(Number(url.port), url.hostname, () => {
      const head = Object.entries(incoming.headers).map(([name, value]) => `${name}: ${value}`);
      other.write(`${incoming.method} ${incoming.url} HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`);
      other.pipe(socket).pipe(other);
    });
    other.on('error', () => socket.destroy());
    socket.on('error', () => other.destroy());
    socket.on('close', () => other.destroy());
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({
      base: `http://127.0.0.1:${/** @type {any} */ (server.address()).port}/ui/`,
      deny,
      hangUp: () => open.forEach((socket) => socket.destroy()),
      end: () => {
        server.close();
        open.forEach((socket) => socket.destroy());
      },
    }));
  });
}
